import { BoxError, isBoxError } from "@box/errors";
import { FileTree, type NodeTime } from "@box/ext4";
import { type TarEntry, TarParser } from "@box/tar";
import { RootfsError, rootfsErrorKinds } from "../errors.ts";
import type { LayerContents } from "./content-index.ts";
import { displayEntryPath } from "./entry-path.ts";
import { LayerMerger, type Noted, unlistedDirectory } from "./layer-merger.ts";
import type { LayerSource } from "./layer-source.ts";
import { defaultMergeLimits, type MergeLimits } from "./limits.ts";
import type { RootfsWarning } from "./warning.ts";

/** Options of {@link mergeLayers}. */
export interface MergeLayersOptions {
  /** Other limits than the usual ones. */
  readonly limits?: Partial<MergeLimits>;
  /** Time of directories that no layer lists, the root among them, in seconds since 1970; 0 unless given. */
  readonly epochSeconds?: number;
  /** Stops between two chunks. */
  readonly signal?: AbortSignal;
  /** Told about what was put right, once for each layer. */
  readonly onWarning?: (warning: RootfsWarning) => void;
  /** Told how many layers have been read, after each. */
  readonly onLayer?: (done: number, total: number) => void;
}

/** The merged layers: what is alive, and where its content is. */
export interface MergedLayers {
  /** Every live file, with the ranges of it that are not holes. */
  readonly tree: FileTree;
  /** The live files whose content is in one layer, by the position of their entries. */
  contentsOf(layer: number): LayerContents;
}

/**
 * Merges the layers of an image, lowest first, by the rules of the OCI image specification.
 *
 * Reads each layer once and keeps no content. The same layers give the same tree, however they are cut into chunks.
 *
 * @throws RootfsError `ROOTFS_*`; what `@box/tar` and `@box/ext4` throw about an entry, with the layer and its path; what
 * a layer throws while it is read.
 */
export async function mergeLayers(
  layers: readonly LayerSource[],
  options: MergeLayersOptions = {},
): Promise<MergedLayers> {
  const limits = { ...defaultMergeLimits, ...options.limits };
  if (layers.length > limits.maxLayers) throw tooManyLayers(layers.length, limits.maxLayers);
  const mtime: NodeTime = { seconds: options.epochSeconds ?? 0, nanoseconds: 0 };
  const tree = new FileTree({
    root: unlistedDirectory(mtime),
    maxTextBytes: limits.maxTextBytes,
  });
  const merger = new LayerMerger(tree, limits, mtime);
  for (const [index, layer] of layers.entries()) {
    merger.begin(index, layer.isInjected);
    const dropped = await readLayer(layer, merger, options);
    if (merger.clamped.count > 0) options.onWarning?.(clampedWarning(layer, merger.clamped));
    if (merger.droppedXattrs.count > 0)
      options.onWarning?.(xattrWarning(layer, merger.droppedXattrs));
    if (dropped > 0) options.onWarning?.(droppedWarning(layer, dropped));
    options.onLayer?.(index + 1, layers.length);
  }
  const contents = merger.contents.byLayer(tree);
  return { tree, contentsOf: (layer) => contents.get(layer) ?? noContents };
}

const noContents: LayerContents = { entries: new Float64Array(0), nodes: new Uint32Array(0) };

/** @returns How many access control lists were dropped. */
async function readLayer(
  layer: LayerSource,
  merger: LayerMerger,
  { signal, onWarning }: MergeLayersOptions,
): Promise<number> {
  let path: Uint8Array | undefined;
  let dropped = 0;
  const parser = new TarParser({
    entry: (entry: TarEntry) => {
      path = entry.path;
      merger.entry(entry);
    },
    data: (chunk, fileOffset) => merger.data(chunk, fileOffset),
    warn: () => {
      dropped += 1;
    },
  });
  const chunks = layer.open({
    ...(signal === undefined ? {} : { signal }),
    ...(onWarning === undefined ? {} : { onWarning }),
  });
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    inLayer(
      layer,
      () => path,
      () => parser.push(chunk),
    );
  }
  inLayer(
    layer,
    () => path,
    () => {
      parser.finish();
      path = undefined;
      merger.end();
    },
  );
  return dropped;
}

/**
 * Says in which layer and at which entry something failed. Code and kind stay, but that what a file system cannot take from
 * a caller is a fault of the layer here.
 */
function inLayer(layer: LayerSource, pathOf: () => Uint8Array | undefined, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isBoxError(error)) throw error;
    const path = pathOf();
    const shown = path === undefined ? undefined : displayEntryPath(path);
    const at = shown === undefined ? "" : ` at ${JSON.stringify(shown)}`;
    const isOfEntry = error.kind === "invalid-argument";
    throw new BoxError({
      code: isOfEntry ? "ROOTFS_ENTRY_INVALID" : error.code,
      kind: isOfEntry ? rootfsErrorKinds.ROOTFS_ENTRY_INVALID : error.kind,
      message: `cannot ${layer.isInjected ? "inject" : `merge layer ${layer.diffId}`}${at}: ${error.message}`,
      details: {
        ...error.details,
        diffId: layer.diffId,
        ...(shown === undefined ? {} : { path: shown }),
      },
      ...hintOf(error, layer),
      cause: error,
    });
  }
}

/** What helps against a fault of a layer in general does not help the one who injects a file. */
function hintOf({ hint }: BoxError, { isInjected }: LayerSource): { readonly hint?: string } {
  if (hint !== undefined) return { hint };
  return isInjected ? { hint: "give the file another path in the image" } : {};
}

function clampedWarning(layer: LayerSource, { count, first }: Noted): RootfsWarning {
  return {
    code: "ROOTFS_PATH_CLAMPED",
    message: `${count} path(s) of layer ${layer.diffId} lead above the root and were clamped there, the first is ${JSON.stringify(first)}`,
    diffId: layer.diffId,
  };
}

function xattrWarning(layer: LayerSource, { count, first }: Noted): RootfsWarning {
  return {
    code: "ROOTFS_XATTR_DROPPED",
    message: `${count} extended attribute(s) of layer ${layer.diffId} are in no namespace of Linux and were dropped, the first is ${JSON.stringify(first)}`,
    diffId: layer.diffId,
  };
}

function droppedWarning(layer: LayerSource, count: number): RootfsWarning {
  return {
    code: "TAR_ACL_DROPPED",
    message: `${count} access control list(s) of layer ${layer.diffId} name users without numbers and were dropped`,
    diffId: layer.diffId,
  };
}

function tooManyLayers(count: number, maxLayers: number): RootfsError {
  return new RootfsError({
    code: "ROOTFS_LIMIT",
    message: `the image has ${count} layers, more than ${maxLayers}`,
    details: { count, maxLayers },
  });
}

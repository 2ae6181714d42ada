import { lstat, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { createFileDurably, ensureDirectory, errnoOf, openFile, toIoError } from "@box/io/node";
import { type CopyEvent, fetchManifestBytes } from "../content/copy.ts";
import type { Descriptor } from "../content/descriptor.ts";
import { Digester } from "../content/digest.ts";
import { parseManifest } from "../content/manifest.ts";
import type {
  BlobSource,
  OperationOptions,
  Pusher,
  ReadonlyTarget,
  StoreOptions,
} from "../content/target.ts";
import { OrasError } from "../errors.ts";
import { throwIfAborted } from "../transport/pacing.ts";

/** The annotation that holds the name of a layer's file. */
const titleAnnotation = "org.opencontainers.image.title";
const stepBytes = 1024 * 1024;

/** A file that is to become a layer of an artifact. */
export interface ArtifactFile {
  /** Where it is. */
  readonly path: string;
  /** What it is; `application/octet-stream` unless given. */
  readonly mediaType?: string;
  /** The name under which it is pulled again: a relative path; the last part of its path unless given. */
  readonly title?: string;
}

/** Options of {@link pushFiles} and {@link pullFiles}. */
export interface TransferFilesOptions extends StoreOptions {
  /** Told about each piece of content. */
  readonly onEvent?: (event: CopyEvent) => void;
}

/** Options of {@link pullFiles}. */
export interface PullFilesOptions extends TransferFilesOptions {
  /** Whether files that are there are replaced; false unless given. */
  readonly overwrite?: boolean;
  /** The most bytes of the manifest; 4 MiB unless given. */
  readonly maxManifestBytes?: number;
}

/** A file that was pulled. */
export interface PulledFile {
  /** Where it is now. */
  readonly path: string;
  /** The layer it was made from. */
  readonly descriptor: Descriptor;
}

/**
 * Pushes files as blobs, each with its name.
 *
 * @returns Their descriptors, in the same order, for `pack` and `attach`.
 * @throws {@link OrasError} `OCI_UNSAFE_NAME`; IoError; the target's codes.
 */
export async function pushFiles(
  target: Pusher,
  files: readonly ArtifactFile[],
  options: TransferFilesOptions = {},
): Promise<readonly Descriptor[]> {
  const descriptors: Descriptor[] = [];
  requireDistinct(files.map(({ path, title }) => title ?? basename(path)));
  for (const file of files) {
    const descriptor = await describeFile(file, options);
    await options.lease?.add([descriptor], options);
    await target.push(descriptor, fileSource(file.path, descriptor, options), options);
    options.onEvent?.({ type: "copied", descriptor });
    descriptors.push(descriptor);
  }
  return descriptors;
}

/**
 * Writes the layers of an artifact that have a name below a folder. Each file appears whole and verified, or not at
 * all; names that lead out of the folder are refused before anything is written.
 *
 * @throws {@link OrasError} `OCI_UNSAFE_NAME`, `OCI_UNSUPPORTED_MEDIA_TYPE` for an index; IoError `IO_EXISTS`.
 */
export async function pullFiles(
  source: ReadonlyTarget,
  reference: string,
  directory: string,
  options: PullFilesOptions = {},
): Promise<readonly PulledFile[]> {
  const { signal, onEvent, overwrite = false } = options;
  const root = await source.resolve(reference, { signal });
  const bytes = await fetchManifestBytes(source, root, options);
  const document = parseManifest(bytes, {
    what: reference,
    mediaType: root.mediaType,
    maxBytes: bytes.byteLength,
  });
  if (document.type === "index") throw notOneArtifact(reference);
  const named = document.manifest.layers.flatMap((descriptor) => {
    const title = descriptor.annotations?.[titleAnnotation];
    return title === undefined ? [] : [{ descriptor, title: requireSafe(title) }];
  });
  requireDistinct(named.map(({ title }) => title));
  await ensureDirectory(directory, { mode: 0o755 });
  const base = await realpath(directory);
  for (const { title } of named) await requireWayInside(base, title);
  const pulled: PulledFile[] = [];
  for (const { descriptor, title } of named) {
    const path = join(base, title);
    await ensureDirectory(dirname(path), { mode: 0o755 });
    await requireInside(base, path, title);
    await createFileDurably(
      path,
      async (file) => {
        let doneBytes = 0;
        for await (const chunk of await source.fetch(descriptor, { signal })) {
          await file.write?.(doneBytes, chunk);
          doneBytes += chunk.byteLength;
          onEvent?.({ type: "progress", descriptor, doneBytes });
        }
      },
      { mode: 0o644, exclusive: !overwrite, ...(signal === undefined ? {} : { signal }) },
    );
    onEvent?.({ type: "copied", descriptor });
    pulled.push({ path, descriptor });
  }
  return pulled;
}

async function describeFile(file: ArtifactFile, options: OperationOptions): Promise<Descriptor> {
  const title = requireSafe(file.title ?? basename(file.path));
  const digester = new Digester();
  let size = 0;
  for await (const chunk of readFrom(file.path, 0, options)) {
    size += chunk.byteLength;
    digester.update(chunk);
  }
  return {
    mediaType: file.mediaType ?? "application/octet-stream",
    digest: digester.digest(),
    size,
    annotations: { [titleAnnotation]: title },
  };
}

function fileSource(
  path: string,
  descriptor: Descriptor,
  options: TransferFilesOptions,
): BlobSource {
  return {
    open: async (offset) => reported(readFrom(path, offset, options), descriptor, offset, options),
  };
}

async function* reported(
  chunks: AsyncIterable<Uint8Array>,
  descriptor: Descriptor,
  offset: number,
  { onEvent }: TransferFilesOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  let doneBytes = offset;
  for await (const chunk of chunks) {
    doneBytes += chunk.byteLength;
    onEvent?.({ type: "progress", descriptor, doneBytes });
    yield chunk;
  }
}

async function* readFrom(
  path: string,
  offset: number,
  { signal }: OperationOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  await using file = await openFile(path);
  const size = await file.size();
  for (let at = offset; at < size; at += stepBytes) {
    throwIfAborted(signal);
    yield await file.read(at, Math.min(stepBytes, size - at));
  }
}

/** A relative path of ordinary parts, the same on every system. */
function requireSafe(title: string): string {
  const parts = title.split("/");
  const isPlain = (part: string): boolean =>
    part !== "" && part !== "." && part !== ".." && part.length <= 255;
  const isSafe = title.length <= 1024 && !/[\p{Cc}\\:]/u.test(title) && parts.every(isPlain);
  if (isSafe) return title;
  throw unsafe(title, "it is no plain relative path");
}

function requireDistinct(titles: readonly string[]): void {
  const twice = titles.find((title, at) => titles.indexOf(title) !== at);
  if (twice !== undefined) throw unsafe(twice, "two files have it");
}

/** Judges the folders on a file's way that are there, before any is made. */
async function requireWayInside(base: string, title: string): Promise<void> {
  const parts = title.split("/");
  for (let count = 1; count < parts.length; count++) {
    const folder = join(base, ...parts.slice(0, count));
    if (!(await isThere(folder))) return;
    await requireInside(base, join(folder, "x"), title);
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw toIoError(error, { action: "cannot look at", path });
  }
}

/** A link on the way must not lead elsewhere either. */
async function requireInside(base: string, path: string, title: string): Promise<void> {
  const folder = await realpath(dirname(path)).catch((error: unknown) => {
    // A link that leads nowhere yet.
    if (errnoOf(error) === "ENOENT") throw unsafe(title, "a link on its way leads nowhere");
    throw toIoError(error, { action: "cannot look at", path: dirname(path) });
  });
  if (folder === base || folder.startsWith(base.endsWith(sep) ? base : base + sep)) return;
  throw unsafe(title, `it leads out of ${resolve(base)}`);
}

function unsafe(title: string, why: string): OrasError {
  return new OrasError({
    code: "OCI_UNSAFE_NAME",
    message: `cannot use ${JSON.stringify(title.slice(0, 160))} as the name of a file: ${why}`,
    details: { name: title.slice(0, 160) },
  });
}

function notOneArtifact(reference: string): OrasError {
  return new OrasError({
    code: "OCI_UNSUPPORTED_MEDIA_TYPE",
    message: `cannot pull files of ${reference}: it is an index of several artifacts`,
    hint: "name one of them by its digest",
  });
}

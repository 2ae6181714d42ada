import {
  bytesSource,
  type CopyEvent,
  copyGraph,
  type Descriptor,
  type FetchedManifest,
  fetchBytes,
  fetchManifestBytes,
  type Manifest,
  type OciLayout,
  type OperationOptions,
  type Platform,
  type ReadonlyStorage,
} from "@box/oras";
import {
  bareDescriptor,
  defaultImageLimits,
  type Image,
  type ImageLimits,
  parseConfigOf,
  validateImageManifest,
} from "../image/image.ts";
import { requirePlatform } from "../platform/require.ts";
import { type ManifestNode, selectManifest, toNode } from "../platform/select.ts";
import type { VerificationKey } from "../signature/verification-key.ts";
import type { PullEvent } from "./events.ts";
import type { ImageSource } from "./image-source.ts";
import { loadFetched } from "./load-image.ts";
import { requirePinned, resolveSource } from "./resolve-source.ts";
import { unlessAbsent } from "./unless-absent.ts";

/** Options of {@link fetchImage}. */
export interface FetchImageOptions extends OperationOptions {
  /** The platform that is wanted. */
  readonly platform: Platform;
  /** Whether 32-bit images do for a 64-bit CPU. */
  readonly allow32Bit?: boolean;
  /** How large the image may be. */
  readonly limits?: Partial<ImageLimits>;
  /** How many layers are fetched at once. */
  readonly concurrency?: number;
  /** A key that the image must be signed with. */
  readonly verificationKey?: VerificationKey;
  /** More names for it. */
  readonly otherNames?: readonly string[];
  /** Told what happens. */
  readonly onEvent?: (event: PullEvent) => void;
}

/**
 * Brings one image for one platform into a layout: config first, because it may show that the rest is not wanted, then layers,
 * while the config is stored, then manifests from the inside out, and the names when all of it is there. A lease keeps what is there
 * until then.
 *
 * @returns The image that was fetched and, if that was wanted, verified, whatever its name leads to now.
 */
export async function fetchImage(
  source: ImageSource,
  layout: OciLayout,
  options: FetchImageOptions,
): Promise<Image> {
  const image = await fetchOnce(source, layout, options, (one) => unlessAbsent(layout, one));
  // A blob that was there had rotted, and is gone now.
  return image ?? fetchOnce(source, layout, options, (one) => one);
}

async function fetchOnce<T extends Image | undefined>(
  source: ImageSource,
  layout: OciLayout,
  options: FetchImageOptions,
  check: (loading: Promise<Image>) => Promise<T>,
): Promise<T> {
  const { onEvent, signal } = options;
  const root = await fetchRoot(source, options);
  const { digest } = root.descriptor;
  requirePinned(source.name, source.pinned, digest);
  onEvent?.({ type: "resolved", reference: source.name, digest });
  const rootNode = toNode(root.descriptor, root.bytes);
  const path = await selectManifest(source.target, rootNode, { ...options, what: source.name });
  const chosen = path.at(-1);
  if (chosen?.document.type !== "manifest")
    throw new Error("a platform was chosen without a manifest");
  const { manifest } = chosen.document;
  validateImageManifest(manifest, source.name, options.limits);
  await requireSignature(source, path, options);
  const documents = path.map(({ descriptor }) => descriptor);
  const contents = [...documents, manifest.config, ...manifest.layers];
  await using lease = await layout.keep(contents, { signal });
  const config = await fetchConfig(source, manifest, options);
  await together(signal, [
    (either) => storeConfig(layout, manifest.config, config, { ...options, signal: either }),
    (either) =>
      copyGraph(withManifest(source.target, chosen), chosen.descriptor, layout, {
        signal: either,
        lease,
        maxManifestBytes: limitsOf(options).maxManifestBytes,
        ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
        // The config is on its way already, and a subject is another image's business.
        selectSuccessors: () => manifest.layers,
        onEvent: (event) => tellCopy(event, onEvent),
      }),
  ]);
  for (const node of path.toReversed()) {
    await layout.push(node.descriptor, bytesSource(node.bytes), { signal });
  }
  const named = bareDescriptor(root.descriptor);
  const loading = loadFetched(layout, named, chosen.descriptor, { ...options, what: source.name });
  const image = await check(loading);
  if (image === undefined) return image;
  for (const name of [source.name, ...(options.otherNames ?? [])]) {
    await layout.tag(named, name, { signal });
  }
  return image;
}

/** Before anything of the image is stored. */
async function requireSignature(
  source: ImageSource,
  path: readonly ManifestNode[],
  options: FetchImageOptions,
): Promise<void> {
  const { verificationKey, signal } = options;
  if (verificationKey === undefined) return;
  const contents = path.map(({ descriptor: { digest }, bytes }) => ({ digest, bytes }));
  const { verifySignatures } = await import("../signature/verify-image.ts");
  const { maxManifestBytes } = limitsOf(options);
  const verifying = { what: source.name, signal, maxManifestBytes };
  await verifySignatures(source.target, contents, verificationKey, verifying);
}

/** Answers for a manifest that has been fetched already, so that no request is made twice. */
function withManifest(source: ReadonlyStorage, node: ManifestNode): ReadonlyStorage {
  return {
    ownsNoChunks: source.ownsNoChunks ?? false,
    ...(source.place === undefined ? {} : { place: source.place }),
    exists: (descriptor, options) => source.exists(descriptor, options),
    fetch: (descriptor, options) =>
      descriptor.digest === node.descriptor.digest
        ? bytesSource(node.bytes).open(options?.offset ?? 0)
        : source.fetch(descriptor, options),
  };
}

async function fetchRoot(
  source: ImageSource,
  options: FetchImageOptions,
): Promise<FetchedManifest> {
  const { target, selector } = source;
  if (selector !== undefined && target.fetchReference !== undefined) {
    return target.fetchReference(selector, options);
  }
  const descriptor = await resolveSource(source, options);
  const { maxManifestBytes } = limitsOf(options);
  const { signal } = options;
  const bytes = await fetchManifestBytes(target, descriptor, { signal, maxManifestBytes });
  return { descriptor, bytes };
}

function limitsOf({ limits }: Pick<FetchImageOptions, "limits">): ImageLimits {
  return { ...defaultImageLimits, ...limits };
}

/** Runs work at the same time; after a failure the rest is stopped, and the failure is thrown when all has ended. */
async function together(
  signal: AbortSignal | undefined,
  work: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const failing = new AbortController();
  const either = AbortSignal.any([failing.signal, ...(signal === undefined ? [] : [signal])]);
  const running = work.map((one) => one(either));
  try {
    await Promise.all(running);
  } catch (error) {
    failing.abort(error);
    await Promise.allSettled(running);
    throw error;
  }
}

/** Reads the config before anything of the image is fetched: it may show that the rest is not wanted. */
async function fetchConfig(
  source: ImageSource,
  manifest: Manifest,
  options: FetchImageOptions,
): Promise<Uint8Array> {
  const bytes = await fetchBytes(source.target, manifest.config, {
    signal: options.signal,
    maxBytes: limitsOf(options).maxManifestBytes,
    what: `config of ${source.name}`,
  });
  const config = parseConfigOf(manifest, bytes, source.name);
  requirePlatform(config.platform, { ...options, what: source.name });
  return bytes;
}

async function storeConfig(
  layout: OciLayout,
  descriptor: Descriptor,
  bytes: Uint8Array,
  options: FetchImageOptions,
): Promise<void> {
  const { digest, size: totalBytes } = descriptor;
  const isThere = await layout.exists(descriptor);
  if (!isThere) await layout.push(descriptor, bytesSource(bytes), { signal: options.signal });
  options.onEvent?.({ type: isThere ? "exists" : "stored", digest, totalBytes });
}

/** Tells about a piece of content in the words of pulls. */
export function tellCopy(event: CopyEvent, onEvent: FetchImageOptions["onEvent"]): void {
  const { digest, size: totalBytes } = event.descriptor;
  if (event.type === "progress") {
    onEvent?.({ type: "progress", digest, totalBytes, doneBytes: event.doneBytes });
  } else if (event.type === "exists") onEvent?.({ type: "exists", digest, totalBytes });
  else onEvent?.({ type: "stored", digest, totalBytes });
}

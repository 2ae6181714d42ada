import { OrasError } from "../errors.ts";
import { throwIfAborted } from "../transport/pacing.ts";
import type { Descriptor } from "./descriptor.ts";
import { fetchBytesOnce } from "./fetch-bytes.ts";
import { maxManifestBytes, parseManifest, successorsOf } from "./manifest.ts";
import { hasSuccessors } from "./media-types.ts";
import {
  type BlobSource,
  bytesSource,
  type ContentLease,
  type CopyDestination,
  type FetchedManifest,
  type OperationOptions,
  type Pusher,
  type ReadonlyStorage,
  type ReadonlyTarget,
  type StoreOptions,
} from "./target.ts";

/** So many bytes of manifests are kept until what they refer to is copied; more are read again then. */
const maxHeldBytes = 16 * 1024 * 1024;

/** What happens to one piece of content while it is copied. */
export type CopyEvent =
  | { readonly type: "exists"; readonly descriptor: Descriptor }
  | {
      readonly type: "progress";
      readonly descriptor: Descriptor;
      /** Bytes there so far, those of an earlier attempt included. */
      readonly doneBytes: number;
    }
  | { readonly type: "copied"; readonly descriptor: Descriptor };

/** Options of {@link copy} and {@link copyGraph}. */
export interface CopyOptions extends FetchManifestOptions, StoreOptions {
  /** How many blobs of one manifest are copied at once, and how many manifests of the whole copy; 4 unless given. */
  readonly concurrency?: number;
  /** How deep manifests may be nested; 8 unless given. */
  readonly maxDepth?: number;
  /** Told about each piece of content; about manifests with type, digest and size only. */
  readonly onEvent?: (event: CopyEvent) => void;
  /** Chooses what is copied below a manifest, which is told by type, digest and size; everything unless given. */
  readonly selectSuccessors?: (
    parent: Descriptor,
    successors: readonly Descriptor[],
  ) => readonly Descriptor[];
}

/** Copies whatever a reference names, with all it refers to, and tags it there. */
export async function copy(
  source: ReadonlyTarget,
  sourceReference: string,
  destination: CopyDestination,
  destinationReference: string = sourceReference,
  options: CopyOptions = {},
): Promise<Descriptor> {
  const root = await fetchRoot(source, sourceReference, options);
  await using own = await leaseFor(destination, options);
  const copying = new GraphCopy(source, destination, { lease: own, ...options });
  await copying.copy(root.descriptor, 0, root.bytes);
  await destination.tag(root.descriptor, destinationReference, options);
  return root.descriptor;
}

/**
 * Copies content with all it refers to; a manifest becomes visible after what it refers to. Whoever names it afterwards
 * gives a lease, so that nothing is collected in between.
 */
export async function copyGraph(
  source: ReadonlyStorage,
  root: Descriptor,
  destination: CopyDestination,
  options: CopyOptions = {},
): Promise<void> {
  await using own = await leaseFor(destination, options);
  await new GraphCopy(source, destination, { lease: own, ...options }).copy(root, 0);
}

/** A lease for as long as an operation runs, unless its caller has one, or nothing is collected there. */
export async function leaseFor(
  destination: Pusher,
  { lease, signal }: StoreOptions,
): Promise<ContentLease | undefined> {
  return lease === undefined ? destination.keep?.([], { signal }) : undefined;
}

/** Options of {@link fetchManifestBytes}. */
export interface FetchManifestOptions extends OperationOptions {
  /** The most bytes of a manifest; 4 MiB unless given. */
  readonly maxManifestBytes?: number;
}

/** Reads a manifest's bytes, verified. */
export async function fetchManifestBytes(
  source: ReadonlyStorage,
  descriptor: Descriptor,
  options: FetchManifestOptions = {},
): Promise<Uint8Array> {
  return fetchBytesOnce(source, descriptor, {
    signal: options.signal,
    maxBytes: options.maxManifestBytes ?? maxManifestBytes,
    what: `manifest ${descriptor.digest}`,
  });
}

async function fetchRoot(
  source: ReadonlyTarget,
  reference: string,
  options: FetchManifestOptions,
): Promise<FetchedManifest> {
  if (source.fetchReference !== undefined) return source.fetchReference(reference, options);
  const descriptor = await source.resolve(reference, options);
  return { descriptor, bytes: await fetchManifestBytes(source, descriptor, options) };
}

/** One copy of one graph: content that two manifests share is copied once. */
class GraphCopy {
  readonly #source: ReadonlyStorage;
  readonly #destination: CopyDestination;
  readonly #options: CopyOptions;
  /** By digest, and by whether it is a manifest: an index may list one digest as both, and then only one leads on. */
  readonly #started: Map<string, Promise<void>> = new Map();
  readonly #concurrency: number;
  /** How many more manifests may be copied beside others: one number for all levels, else each multiplies them. */
  #freeLanes: number;
  #heldBytes = 0;

  constructor(source: ReadonlyStorage, destination: CopyDestination, options: CopyOptions) {
    this.#source = source;
    this.#destination = destination;
    this.#options = options;
    this.#concurrency = options.concurrency ?? 4;
    this.#freeLanes = this.#concurrency - 1;
  }

  copy(descriptor: Descriptor, depth: number, bytes?: Uint8Array): Promise<void> {
    const isManifest = hasSuccessors(descriptor.mediaType);
    const key = `${descriptor.digest} ${isManifest}`;
    const known = this.#started.get(key);
    if (known !== undefined) return known;
    const work = isManifest
      ? this.#copyManifest(descriptor, depth, bytes)
      : this.#copyBlob(descriptor);
    this.#started.set(key, work);
    return work;
  }

  async #copyManifest(descriptor: Descriptor, depth: number, known?: Uint8Array): Promise<void> {
    const { maxDepth = 8 } = this.#options;
    if (depth > maxDepth) throw tooDeep(descriptor, maxDepth);
    const { manifests, held } = await this.#copyBlobsBelow(descriptor, depth, known);
    await this.#inLanes(manifests, (child) => this.copy(child, depth + 1));
    this.#heldBytes -= held?.byteLength ?? 0;
    const bytes = held ?? (await fetchManifestBytes(this.#source, descriptor, this.#options));
    await this.#push(descriptor, bytesSource(bytes));
  }

  /** Copies the blobs of a manifest. @returns What stays of it in memory: the manifests below, and maybe its bytes. */
  async #copyBlobsBelow(
    descriptor: Descriptor,
    depth: number,
    known: Uint8Array | undefined,
  ): Promise<{ manifests: readonly Descriptor[]; held: Uint8Array | undefined }> {
    const { chosen, held } = await this.#open(descriptor, known);
    await this.#options.lease?.add([descriptor, ...chosen], this.#options);
    const isManifest = ({ mediaType }: Descriptor): boolean => hasSuccessors(mediaType);
    const blobs = chosen.filter((child) => !isManifest(child));
    await forEachLimited(blobs, this.#concurrency, (child) => this.copy(child, depth + 1));
    return { manifests: chosen.filter(isManifest).map(bareDescriptor), held };
  }

  /** What is copied below a manifest, and its bytes while they may be kept. */
  async #open(
    descriptor: Descriptor,
    known: Uint8Array | undefined,
  ): Promise<{ chosen: readonly Descriptor[]; held: Uint8Array | undefined }> {
    const { selectSuccessors } = this.#options;
    const bytes = known ?? (await fetchManifestBytes(this.#source, descriptor, this.#options));
    const document = parseManifest(bytes, {
      what: descriptor.digest,
      mediaType: descriptor.mediaType,
      // Whoever read them has limited them.
      maxBytes: bytes.byteLength,
    });
    const all = successorsOf(document);
    const chosen = selectSuccessors?.(descriptor, all) ?? all;
    const mayHold = this.#heldBytes + bytes.byteLength <= maxHeldBytes;
    if (mayHold) this.#heldBytes += bytes.byteLength;
    return { chosen, held: mayHold ? bytes : undefined };
  }

  /** One after the other, and beside each other as far as lanes are free. */
  async #inLanes(
    manifests: readonly Descriptor[],
    work: (manifest: Descriptor) => Promise<void>,
  ): Promise<void> {
    const more = Math.max(0, Math.min(this.#freeLanes, manifests.length - 1));
    this.#freeLanes -= more;
    try {
      await forEachLimited(manifests, 1 + more, work);
    } finally {
      this.#freeLanes += more;
    }
  }

  async #copyBlob(descriptor: Descriptor): Promise<void> {
    const { signal, lease } = this.#options;
    await lease?.add([descriptor], { signal });
    const { origin, place } = this.#source;
    await this.#push(descriptor, {
      ownsNoChunks: this.#source.ownsNoChunks ?? false,
      ...(origin === undefined ? {} : { origin }),
      ...(place === undefined ? {} : { place }),
      // The destination verifies what it stores; hashing twice would only cost time.
      open: async (offset) => {
        const chunks = await this.#source.fetch(descriptor, { offset, signal, verify: false });
        return this.#report(chunks, descriptor, offset);
      },
    });
  }

  async #push(descriptor: Descriptor, source: BlobSource): Promise<void> {
    const { signal, onEvent } = this.#options;
    throwIfAborted(signal);
    if (await this.#destination.exists(descriptor, { signal })) {
      onEvent?.({ type: "exists", descriptor });
      return;
    }
    await this.#destination.push(descriptor, source, { signal });
    onEvent?.({ type: "copied", descriptor });
  }

  async *#report(
    chunks: AsyncIterable<Uint8Array>,
    descriptor: Descriptor,
    offset: number,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let doneBytes = offset;
    for await (const chunk of chunks) {
      doneBytes += chunk.byteLength;
      this.#options.onEvent?.({ type: "progress", descriptor, doneBytes });
      yield chunk;
    }
  }
}

/** What is needed to copy it, without what else a document says about it, which may be long. */
function bareDescriptor({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

/** Runs work on all items, a few at once; after a failure nothing new starts, and the first failure is thrown. */
export async function forEachLimited<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const pending = items.values();
  let isFailed = false;
  const run = async (): Promise<void> => {
    for (const item of pending) {
      if (isFailed) return;
      try {
        await work(item);
      } catch (error) {
        isFailed = true;
        throw error;
      }
    }
  };
  const workers = Array.from({ length: Math.min(limit, items.length) }, run);
  const outcomes = await Promise.allSettled(workers);
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

function tooDeep(descriptor: Descriptor, maxDepth: number): OrasError {
  return new OrasError({
    code: "OCI_TOO_DEEP",
    message: `cannot copy ${descriptor.digest}: manifests are nested deeper than ${maxDepth} levels`,
    details: { digest: descriptor.digest },
  });
}

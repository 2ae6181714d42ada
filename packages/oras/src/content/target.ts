import type { Descriptor } from "./descriptor.ts";

/** Options that every operation takes. */
export interface OperationOptions {
  /** Stops the operation between units of work. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link Fetcher.fetch}. */
export interface FetchOptions extends OperationOptions {
  /** The first byte that is wanted; 0 by default. Only a read from 0 to the end can be verified by the source. */
  readonly offset?: number;
  /** False when the caller verifies the content itself; true unless given. */
  readonly verify?: boolean;
}

/** A repository of a registry. */
export interface ContentOrigin {
  /** The registry, as users name it. */
  readonly host: string;
  /** The repository's name: `library/debian`. */
  readonly name: string;
}

/** Content that can be read again from any offset, so that a transfer can go on after a failure. */
export interface BlobSource {
  /** Reads from `offset` to the end. */
  open(offset: number): Promise<AsyncIterable<Uint8Array>>;
  /** Whether chunks are made for their reader, who may give their memory back at once; false unless given. */
  readonly ownsNoChunks?: boolean;
  /** What has it, for messages. */
  readonly place?: string;
  /** The repository that has it: another one of the same registry may take it from there without being sent anything. */
  readonly origin?: ContentOrigin;
}

/** Reads content by descriptor. */
export interface Fetcher {
  /** What it is called in messages: `image layout /srv/images`. */
  readonly place?: string;
  /** The repository that content is read from, when it is one. */
  readonly origin?: ContentOrigin;
  /** Whether chunks are made for their reader, who may give their memory back at once; false unless given. */
  readonly ownsNoChunks?: boolean;
  /** A read from 0 verifies size and digest before it ends. Fails with `OCI_NOT_FOUND` when it is not there. */
  fetch(descriptor: Descriptor, options?: FetchOptions): Promise<AsyncIterable<Uint8Array>>;
}

/** Fetches the manifest behind a reference in one step. */
export interface ReferenceFetcher {
  /** The manifest's bytes as they are stored, verified, and their descriptor. */
  fetchReference(reference: string, options?: OperationOptions): Promise<FetchedManifest>;
}

/** A manifest with its descriptor. */
export interface FetchedManifest {
  /** Type, digest and size. */
  readonly descriptor: Descriptor;
  /** The bytes as served; they hash to the digest. */
  readonly bytes: Uint8Array;
}

/** Content that stays where it is, whatever garbage is collected there, until this is disposed of. */
export interface ContentLease extends AsyncDisposable {
  /** Keeps more; see {@link Pusher.keep}. */
  add(contents: Iterable<Descriptor>, options?: OperationOptions): Promise<void>;
}

/** Options of what stores content. */
export interface StoreOptions extends OperationOptions {
  /** Keeps what is stored, or was there already, until the caller has named it. */
  readonly lease?: ContentLease | undefined;
}

/** Stores content. */
export interface Pusher {
  /**
   * Keeps content, there or not, and what manifests among it lead to, where garbage is collected. Not there where nothing
   * is.
   */
  readonly keep?: (
    contents: Iterable<Descriptor>,
    options?: OperationOptions,
  ) => Promise<ContentLease>;
  /** Stores content; size and digest are verified before it becomes visible. Content that is there is kept. */
  push(descriptor: Descriptor, source: BlobSource, options?: OperationOptions): Promise<void>;
}

/** Knows what is there. */
export interface ReadonlyStorage extends Fetcher {
  /** Whether content is there. */
  exists(descriptor: Descriptor, options?: OperationOptions): Promise<boolean>;
}

/** Turns a tag or a digest into a descriptor. */
export interface Resolver {
  /** Fails with `OCI_NOT_FOUND` for an unknown reference. */
  resolve(reference: string, options?: OperationOptions): Promise<Descriptor>;
}

/** Names content. */
export interface Tagger {
  /**
   * Lets a name refer to content that is there; a name in use moves. One that pins the digest of other content is refused
   * with `OCI_INVALID_REFERENCE`.
   */
  tag(descriptor: Descriptor, reference: string, options?: OperationOptions): Promise<void>;
}

/** Knows what refers to content. */
export interface GraphTarget {
  /** The manifests whose subject is `descriptor`. */
  predecessors(descriptor: Descriptor, options?: OperationOptions): AsyncIterable<Descriptor>;
}

/** Something images and artifacts are copied from. */
export interface ReadonlyTarget extends ReadonlyStorage, Resolver {
  /** Like {@link ReferenceFetcher.fetchReference}, where a target can do it in one step. */
  readonly fetchReference?: ReferenceFetcher["fetchReference"];
}

/** Something images and artifacts are copied to; archives that are being written are no more than that. */
export interface CopyDestination extends Pusher, Tagger {
  /** {@inheritDoc ReadonlyStorage.exists} */
  exists(descriptor: Descriptor, options?: OperationOptions): Promise<boolean>;
}

/** Something images and artifacts are copied to and from. */
export interface Target extends ReadonlyTarget, CopyDestination {}

/** A source of bytes in memory. */
export function bytesSource(bytes: Uint8Array): BlobSource {
  return {
    open: async (offset) => chunksOf(bytes.subarray(offset)),
  };
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  const stepBytes = 1024 * 1024;
  for (let start = 0; start < bytes.byteLength; start += stepBytes) {
    yield bytes.subarray(start, start + stepBytes);
  }
}

import { join, resolve as resolvePath } from "node:path";
import { isBoxError } from "@box/errors";
import { acquireLock, ensureDirectory, type FileSystem, writeFileDurably } from "@box/io/node";
import type { Descriptor } from "../content/descriptor.ts";
import { type Digest, digestAlgorithm, isDigest, validateName } from "../content/digest.ts";
import { type Index, maxManifestBytes, parseManifest } from "../content/manifest.ts";
import { hasSuccessors } from "../content/media-types.ts";
import type {
  BlobSource,
  ContentLease,
  FetchOptions,
  GraphTarget,
  OperationOptions,
  Target,
} from "../content/target.ts";
import { verifyContent } from "../content/verify.ts";
import { attachedEntry, withEntry, withoutNameless } from "./attached-entry.ts";
import { BlobFiles, incomplete, readChunks, type StoredBlob } from "./blob-files.ts";
import { type EntryPlace, findEntry, type NamedEntry, noEntry, onlyEntry } from "./choose-entry.ts";
import { findReferrers } from "./find-referrers.ts";
import {
  annotationsFor,
  checkMarker,
  namesOf,
  readIndexFile,
  withoutName,
  withoutNames,
  writeIndexFile,
} from "./index-file.ts";
import { ingestBlob } from "./ingest.ts";
import { beginLease, type Exclusively, readLeases } from "./leases.ts";
import { blobLockName, type RemovePartialsOptions, removePartials } from "./partial-blobs.ts";

/** How large the documents of a layout may be. What exceeds a limit fails with `OCI_TOO_LARGE`. */
export interface LayoutLimits {
  /** The most bytes of `index.json`; 16 MiB unless given. */
  readonly maxIndexBytes: number;
  /** The most bytes of a manifest; 4 MiB unless given. */
  readonly maxManifestBytes: number;
}

/** What {@link LayoutLimits} are unless given. */
export const defaultLayoutLimits: LayoutLimits = {
  maxIndexBytes: 16 * 1024 * 1024,
  maxManifestBytes,
};

/** Options of {@link OciLayout}. */
export interface OciLayoutOptions {
  /** The file system calls; the host's unless given. */
  readonly fs?: FileSystem;
  /** How large its documents may be. */
  readonly limits?: Partial<LayoutLimits>;
  /** Told when another process works on the same blob or on the index, and which, as far as that is known. */
  readonly onWait?: (what: string, holderPid: number | undefined) => void;
}

/** Manifests and configs are: they are read in one go. */
const smallBlobBytes = 65536;

/** Makes other entries of the ones that are there. */
export type IndexChange = (manifests: readonly Descriptor[]) => readonly Descriptor[];

/**
 * An OCI image layout in a folder, read and written by several processes at once.
 *
 * A blob is never visible under its digest before it is verified and synced; `index.json` changes under a lock by an
 * atomic rename. Partial downloads and locks are in the folder `ingest`, which other tools ignore.
 */
export class OciLayout implements Target, GraphTarget {
  /** The layout's folder, absolute. */
  readonly directory: string;
  /** Chunks are read for whoever asked. */
  readonly ownsNoChunks = true;
  readonly #options: OciLayoutOptions;
  readonly #blobs: BlobFiles;
  readonly #io: { fs?: FileSystem };

  private constructor(directory: string, options: OciLayoutOptions) {
    this.directory = resolvePath(directory);
    this.#options = options;
    this.#blobs = new BlobFiles(this.directory, options.fs);
    this.#io = options.fs === undefined ? {} : { fs: options.fs };
  }

  /**
   * Opens a layout that is there.
   *
   * @throws {@link OrasError} `OCI_LAYOUT_MISSING`, `OCI_LAYOUT_INVALID`, `OCI_LAYOUT_VERSION`; IoError.
   */
  static async open(directory: string, options: OciLayoutOptions = {}): Promise<OciLayout> {
    const layout = new OciLayout(directory, options);
    await checkMarker(layout.directory, options.fs);
    return layout;
  }

  /** Opens a layout and makes an empty one where there is none; several processes may do so at once. */
  static async ensure(directory: string, options: OciLayoutOptions = {}): Promise<OciLayout> {
    const layout = new OciLayout(directory, options);
    try {
      await checkMarker(layout.directory, options.fs);
    } catch (error) {
      if (!isBoxError(error) || error.code !== "OCI_LAYOUT_MISSING") throw error;
      await layout.#create();
    }
    return layout;
  }

  /** {@inheritDoc Fetcher.place} */
  get place(): string {
    return this.#place.what;
  }

  /** The same layout with other options. */
  with(options: OciLayoutOptions): OciLayout {
    return new OciLayout(this.directory, { ...this.#options, ...options });
  }

  /** Reads `index.json`. */
  async index(): Promise<Index> {
    return readIndexFile(this.directory, this.#limits.maxIndexBytes, this.#options.fs);
  }

  /** Where a blob is or would be. */
  blobPath(digest: Digest): string {
    return this.#blobs.path(digest);
  }

  /** {@inheritDoc ReadonlyStorage.exists} */
  async exists(descriptor: Descriptor): Promise<boolean> {
    const file = await this.#blobs.open(descriptor.digest, true);
    if (file === undefined) return false;
    await using blob = file;
    return (await blob.size()) === descriptor.size;
  }

  /** {@inheritDoc Fetcher.fetch} */
  async fetch(
    descriptor: Descriptor,
    options: FetchOptions = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    const file = await this.#blobs.open(descriptor.digest, descriptor.size <= smallBlobBytes);
    if (file === undefined) throw incomplete(this.directory, descriptor.digest);
    const offset = options.offset ?? 0;
    const chunks = readChunks(file, descriptor, offset, options.signal);
    const isVerified = offset === 0 && options.verify !== false;
    return isVerified ? verifyContent(chunks, descriptor, this.place) : chunks;
  }

  /**
   * Stores content; size and digest are verified before it becomes visible. Content that is there is kept. A manifest that is
   * about another one gets an entry without a name, so that it is found.
   */
  async push(
    descriptor: Descriptor,
    source: BlobSource,
    options: OperationOptions = {},
  ): Promise<void> {
    await this.#store(descriptor, source, options);
    if (hasSuccessors(descriptor.mediaType)) await this.#listAttached(descriptor, options);
  }

  /** {@inheritDoc Pusher.keep} */
  async keep(
    contents: Iterable<Descriptor>,
    options: OperationOptions = {},
  ): Promise<ContentLease> {
    const exclusively: Exclusively = (work, signal) => this.exclusively(work, signal);
    return beginLease(this.#leaseFolder, contents, exclusively, options);
  }

  /**
   * What {@link OciLayout.keep} keeps at present, in this and other processes. Asked by whoever removes content, while it
   * has the layout for itself.
   */
  async kept(): Promise<readonly Descriptor[]> {
    return readLeases(this.#leaseFolder);
  }

  async #store(
    descriptor: Descriptor,
    source: BlobSource,
    options: OperationOptions,
  ): Promise<void> {
    if (await this.exists(descriptor)) return;
    await ensureDirectory(join(this.directory, "blobs", digestAlgorithm(descriptor.digest)), {
      mode: 0o755,
      ...this.#io,
    });
    const { digest } = descriptor;
    await using _lock = await this.#lock(blobLockName(digest), digest, options.signal);
    // Another process may have brought it while this one waited.
    if (await this.exists(descriptor)) return;
    await ingestBlob(descriptor, source, {
      folder: this.#ingestFolder,
      destination: this.blobPath(descriptor.digest),
      signal: options.signal,
      ...this.#io,
    });
  }

  /** Finds a name, a digest of an entry, or the digest of a manifest among the blobs. */
  async resolve(reference: string): Promise<Descriptor> {
    const entries = await this.#entries();
    const found = findEntry(entries, reference, this.#place);
    if (found !== undefined) return found;
    if (isDigest(reference)) return this.#describeManifest(reference);
    throw noEntry(this.#place, reference, entries);
  }

  /** The only entry, for layouts without names. Never takes the first of several; what is attached to one is none. */
  async resolveOnly(): Promise<Descriptor> {
    const entries = await this.#entries();
    const own: NamedEntry[] = [];
    for (const entry of entries) {
      const isAttached = entries.length > 1 && (await this.isAttached(entry.descriptor));
      if (!isAttached) own.push(entry);
    }
    return onlyEntry(own.length === 0 ? entries : own, this.#place);
  }

  /** Whether an entry is there only because its manifest is about another one: it has no name of its own. */
  async isAttached(entry: Descriptor): Promise<boolean> {
    return namesOf(entry).length === 0 && (await this.#attachedEntry(entry)) !== undefined;
  }

  /** {@inheritDoc Tagger.tag} */
  async tag(
    descriptor: Descriptor,
    reference: string,
    options: OperationOptions = {},
  ): Promise<void> {
    validateName(reference, descriptor.digest);
    if (!(await this.exists(descriptor))) throw noEntry(this.#place, descriptor.digest);
    const entry: Descriptor = {
      ...descriptor,
      annotations: { ...withoutNames(descriptor).annotations, ...annotationsFor(reference) },
    };
    await this.#changeIndex(
      (manifests) => [
        ...withoutNameless(manifests, entry).flatMap((old) => withoutName(old, reference)),
        entry,
      ],
      options.signal,
    );
  }

  /** Takes a name away. @returns false when there was none. */
  async untag(reference: string, options: OperationOptions = {}): Promise<boolean> {
    let isFound = false;
    await this.#changeIndex((manifests) => {
      isFound = manifests.some((entry) => namesOf(entry).includes(reference));
      return manifests.flatMap((entry) => withoutName(entry, reference));
    }, options.signal);
    return isFound;
  }

  /** All blobs, with their size and when they came. Other files are left out. */
  blobs(): AsyncGenerator<StoredBlob, void, undefined> {
    return this.#blobs.list();
  }

  /** {@inheritDoc GraphTarget.predecessors} */
  predecessors(descriptor: Descriptor, options: OperationOptions = {}): AsyncIterable<Descriptor> {
    return findReferrers(this, descriptor.digest, { ...options, ...this.#limits });
  }

  /** Takes a blob away, whoever refers to it. @returns false when there was none. */
  async removeBlob(digest: Digest): Promise<boolean> {
    return this.#blobs.remove(digest);
  }

  /**
   * Takes a blob away if it is not what its digest says, whoever refers to it, while nobody else brings it.
   *
   * @returns Whether it was taken away.
   * @throws IoError, also when it cannot be read: it then stays.
   */
  async removeRotten(digest: Digest, { signal }: OperationOptions = {}): Promise<boolean> {
    await using _lock = await this.#lock(blobLockName(digest), digest, signal);
    return (await this.#blobs.isRotten(digest, signal)) && (await this.#blobs.remove(digest));
  }

  /** Removes what was left of pushes that nobody goes on with. @returns its bytes. */
  async removePartials(options: RemovePartialsOptions): Promise<number> {
    const places = {
      folder: this.#ingestFolder,
      blobPath: (digest: Digest) => this.blobPath(digest),
    };
    return removePartials(places, options, this.#options.fs);
  }

  /**
   * Does work while no other process changes the index.
   *
   * @param work - Is given the only way to change the index meanwhile.
   */
  async exclusively<T>(
    work: (changeIndex: (change: IndexChange) => Promise<void>) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    await using _lock = await this.#lock("index", "the layout", signal);
    // Awaited here: the lock is held only as long as this function runs.
    return await work((change) => this.#rewriteIndex(change));
  }

  get #limits(): LayoutLimits {
    return { ...defaultLayoutLimits, ...this.#options.limits };
  }

  get #place(): EntryPlace {
    return { what: `image layout ${this.directory}`, path: this.directory };
  }

  get #leaseFolder(): string {
    return join(this.#ingestFolder, "leases");
  }

  get #ingestFolder(): string {
    return join(this.directory, "ingest");
  }

  async #entries(): Promise<readonly NamedEntry[]> {
    const { manifests } = await this.index();
    return manifests.map((descriptor) => ({ descriptor, names: namesOf(descriptor) }));
  }

  async #create(): Promise<void> {
    await ensureDirectory(join(this.directory, "blobs", "sha256"), { mode: 0o755, ...this.#io });
    await using _lock = await this.#lock("index", "index.json");
    const options = { mode: 0o644, exclusive: true, ...this.#io };
    const empty = { schemaVersion: 2, manifests: [] };
    await ignoreExisting(
      writeFileDurably(join(this.directory, "index.json"), `${JSON.stringify(empty)}\n`, options),
    );
    await ignoreExisting(
      writeFileDurably(
        join(this.directory, "oci-layout"),
        `${JSON.stringify({ imageLayoutVersion: "1.0.0" })}\n`,
        options,
      ),
    );
  }

  async #changeIndex(change: IndexChange, signal?: AbortSignal): Promise<void> {
    await using _lock = await this.#lock("index", "index.json", signal);
    await this.#rewriteIndex(change);
  }

  async #rewriteIndex(change: IndexChange): Promise<void> {
    const index = await this.index();
    const changed = { ...index, manifests: change(index.manifests) };
    const { maxIndexBytes } = this.#limits;
    await writeIndexFile(this.directory, changed, maxIndexBytes, this.#options.fs);
  }

  async #lock(name: string, what: string, signal?: AbortSignal): Promise<AsyncDisposable> {
    await ensureDirectory(this.#ingestFolder, this.#io);
    return acquireLock(join(this.#ingestFolder, `${name}.lock`), {
      command: `write ${what}`,
      onWait: (holder) => this.#options.onWait?.(what, holder?.pid),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async #listAttached(descriptor: Descriptor, { signal }: OperationOptions): Promise<void> {
    const entry = await this.#attachedEntry(descriptor);
    if (entry === undefined) return;
    const { manifests } = await this.index();
    if (withEntry(manifests, entry) === manifests) return;
    await this.#changeIndex((entries) => withEntry(entries, entry), signal);
  }

  async #attachedEntry(descriptor: Descriptor): Promise<Descriptor | undefined> {
    const { maxManifestBytes: maxBytes } = this.#limits;
    const isManifest = hasSuccessors(descriptor.mediaType) && descriptor.size <= maxBytes;
    const file = isManifest ? await this.#blobs.open(descriptor.digest) : undefined;
    if (file === undefined) return undefined;
    await using blob = file;
    return attachedEntry(descriptor, await blob.read(0, descriptor.size));
  }

  async #describeManifest(digest: Digest): Promise<Descriptor> {
    const file = await this.#blobs.open(digest);
    if (file === undefined) throw noEntry(this.#place, digest);
    await using blob = file;
    const size = await blob.size();
    const { maxManifestBytes: maxBytes } = this.#limits;
    const bytes = await blob.read(0, Math.min(size, maxBytes + 1));
    return { mediaType: parseManifest(bytes, { what: digest, maxBytes }).mediaType, digest, size };
  }
}

async function ignoreExisting(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isBoxError(error) || error.code !== "IO_EXISTS") throw error;
  }
}

import { join, resolve as resolvePath } from "node:path";
import { isBoxError } from "@box/errors";
import type { OpenFile } from "@box/io";
import {
  acquireLock,
  ensureDirectory,
  errnoOf,
  type FileSystem,
  nodeFileSystem,
  openFile,
  removeFileDurably,
  toIoError,
  writeFileDurably,
} from "@box/io/node";
import type { Descriptor } from "../content/descriptor.ts";
import { type Digest, digestAlgorithm, digestHex, isDigest } from "../content/digest.ts";
import { type Index, maxManifestBytes, parseManifest } from "../content/manifest.ts";
import type {
  BlobSource,
  FetchOptions,
  GraphTarget,
  OperationOptions,
  Target,
} from "../content/target.ts";
import { verifyContent, wrongSize } from "../content/verify.ts";
import { OrasError } from "../errors.ts";
import { type EntryPlace, findEntry, type NamedEntry, noEntry, onlyEntry } from "./choose-entry.ts";
import { findReferrers } from "./find-referrers.ts";
import {
  annotationsFor,
  checkMarker,
  namesOf,
  readIndexFile,
  withoutName,
  writeIndexFile,
} from "./index-file.ts";
import { ingestBlob } from "./ingest.ts";
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
  /** Told when another process works on the same blob or on the index. */
  readonly onWait?: (what: string) => void;
}

/** A blob of a layout. */
export interface StoredBlob {
  /** Its address. */
  readonly digest: Digest;
  /** Its size in bytes. */
  readonly size: number;
  /** When its file last changed, in milliseconds since the epoch. */
  readonly changedMs: number;
}

const stepBytes = 1024 * 1024;

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
  readonly #io: { fs?: FileSystem };

  private constructor(directory: string, options: OciLayoutOptions) {
    this.directory = resolvePath(directory);
    this.#options = options;
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
    return join(this.directory, "blobs", digestAlgorithm(digest), digestHex(digest));
  }

  /** {@inheritDoc ReadonlyStorage.exists} */
  async exists(descriptor: Descriptor): Promise<boolean> {
    const file = await this.#openBlob(descriptor.digest);
    if (file === undefined) return false;
    await using blob = file;
    return (await blob.size()) === descriptor.size;
  }

  /** {@inheritDoc Fetcher.fetch} */
  async fetch(
    descriptor: Descriptor,
    options: FetchOptions = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    const file = await this.#openBlob(descriptor.digest);
    if (file === undefined) throw incomplete(this.directory, descriptor.digest);
    const offset = options.offset ?? 0;
    const chunks = readChunks(file, descriptor, offset, options.signal);
    return offset === 0 && options.verify !== false ? verifyContent(chunks, descriptor) : chunks;
  }

  /** {@inheritDoc Pusher.push} */
  async push(
    descriptor: Descriptor,
    source: BlobSource,
    options: OperationOptions = {},
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

  /** The only entry, for layouts without names. Never takes the first of several. */
  async resolveOnly(): Promise<Descriptor> {
    return onlyEntry(await this.#entries(), this.#place);
  }

  /** {@inheritDoc Tagger.tag} */
  async tag(
    descriptor: Descriptor,
    reference: string,
    options: OperationOptions = {},
  ): Promise<void> {
    if (!(await this.exists(descriptor))) throw noEntry(this.#place, descriptor.digest);
    const entry: Descriptor = {
      ...descriptor,
      annotations: { ...descriptor.annotations, ...annotationsFor(reference) },
    };
    await this.#changeIndex(
      (manifests) => [...manifests.flatMap((old) => withoutName(old, reference)), entry],
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
  async *blobs(): AsyncGenerator<StoredBlob, void, undefined> {
    const fs = this.#options.fs ?? nodeFileSystem;
    for (const algorithm of ["sha256", "sha384", "sha512"]) {
      const folder = join(this.directory, "blobs", algorithm);
      for (const name of (await readFolder(fs, folder)).sort()) {
        const digest = `${algorithm}:${name}`;
        if (!isDigest(digest)) continue;
        const facts = await fs.stat(join(folder, name));
        if (facts.isFile())
          yield { digest, size: Number(facts.size), changedMs: Number(facts.mtimeMs) };
      }
    }
  }

  /** {@inheritDoc GraphTarget.predecessors} */
  predecessors(descriptor: Descriptor, options: OperationOptions = {}): AsyncIterable<Descriptor> {
    return findReferrers(this, descriptor.digest, { ...options, ...this.#limits });
  }

  /** Takes a blob away, whoever refers to it. @returns false when there was none. */
  async removeBlob(digest: Digest): Promise<boolean> {
    return removeFileDurably(this.blobPath(digest), this.#io);
  }

  /** Removes what was left of pushes that nobody goes on with. @returns its bytes. */
  async removePartials(options: RemovePartialsOptions): Promise<number> {
    return removePartials(this.#ingestFolder, options, this.#options.fs);
  }

  /** Does work while no other process changes the index. */
  async exclusively<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await using _lock = await this.#lock("index", "the layout", signal);
    return work();
  }

  get #limits(): LayoutLimits {
    return { ...defaultLayoutLimits, ...this.#options.limits };
  }

  get #place(): EntryPlace {
    return { what: `image layout ${this.directory}`, path: this.directory };
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

  async #changeIndex(
    change: (manifests: readonly Descriptor[]) => readonly Descriptor[],
    signal?: AbortSignal,
  ): Promise<void> {
    await using _lock = await this.#lock("index", "index.json", signal);
    const index = await this.index();
    const changed = { ...index, manifests: change(index.manifests) };
    const { maxIndexBytes } = this.#limits;
    await writeIndexFile(this.directory, changed, maxIndexBytes, this.#options.fs);
  }

  async #lock(name: string, what: string, signal?: AbortSignal): Promise<AsyncDisposable> {
    await ensureDirectory(this.#ingestFolder, this.#io);
    return acquireLock(join(this.#ingestFolder, `${name}.lock`), {
      command: `write ${what}`,
      onWait: () => this.#options.onWait?.(what),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async #openBlob(digest: Digest): Promise<OpenFile | undefined> {
    try {
      return await openFile(this.blobPath(digest), this.#io);
    } catch (error) {
      if (isBoxError(error) && error.code === "IO_NOT_FOUND") return undefined;
      throw error;
    }
  }

  async #describeManifest(digest: Digest): Promise<Descriptor> {
    const file = await this.#openBlob(digest);
    if (file === undefined) throw noEntry(this.#place, digest);
    await using blob = file;
    const size = await blob.size();
    const { maxManifestBytes: maxBytes } = this.#limits;
    const bytes = await blob.read(0, Math.min(size, maxBytes + 1));
    return { mediaType: parseManifest(bytes, { what: digest, maxBytes }).mediaType, digest, size };
  }
}

async function* readChunks(
  file: OpenFile,
  descriptor: Descriptor,
  offset: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  await using blob = file;
  const size = await blob.size();
  if (size !== descriptor.size) throw wrongSize(descriptor, String(size));
  for (let position = offset; position < size; position += stepBytes) {
    signal?.throwIfAborted();
    yield await blob.read(position, Math.min(stepBytes, size - position));
  }
}

async function readFolder(fs: FileSystem, folder: string): Promise<string[]> {
  try {
    return await fs.readdir(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw toIoError(error, { action: "cannot list", path: folder });
  }
}

async function ignoreExisting(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isBoxError(error) || error.code !== "IO_EXISTS") throw error;
  }
}

/** A descriptor is taken from an index or a manifest: whoever asked has made no mistake, content is missing. */
function incomplete(directory: string, digest: Digest): OrasError {
  return new OrasError({
    code: "OCI_NOT_FOUND",
    message: `cannot find ${digest} in image layout ${directory}`,
    details: { path: directory, reference: digest },
    hint: "the layout is damaged or incomplete: copy the image into it again",
  });
}

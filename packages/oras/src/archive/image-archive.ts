import { resolve as resolvePath } from "node:path";
import { isBoxError } from "@box/errors";
import type { OpenFile, RandomAccess } from "@box/io";
import { openFile } from "@box/io/node";
import { detectCompression, magicBytes } from "../content/compression.ts";
import type { Descriptor } from "../content/descriptor.ts";
import { isDigest } from "../content/digest.ts";
import type {
  FetchOptions,
  GraphTarget,
  OperationOptions,
  ReadonlyTarget,
} from "../content/target.ts";
import { OrasError } from "../errors.ts";
import {
  type EntryPlace,
  findEntry,
  type NamedEntry,
  noEntry,
  onlyEntry,
} from "../layout/choose-entry.ts";
import { findReferrers } from "../layout/find-referrers.ts";
import {
  maxMarkerBytes,
  missingLayout,
  namesOf,
  parseIndexFile,
  validateMarker,
} from "../layout/index-file.ts";
import { defaultLayoutLimits, type LayoutLimits } from "../layout/oci-layout.ts";
import { ArchiveContent } from "./archive-content.ts";
import { archiveError, corruptArchive } from "./archive-error.ts";
import { type ArchiveIndex, indexArchive } from "./archive-index.ts";
import { readDockerImages } from "./docker-listing.ts";

/** How large an archive may be. What exceeds a limit fails with `OCI_TOO_LARGE`. */
export interface ArchiveLimits extends LayoutLimits {
  /** The most files, folders and links; 100,000 unless given. */
  readonly maxEntries: number;
}

/** What {@link ArchiveLimits} are unless given. */
export const defaultArchiveLimits: ArchiveLimits = { ...defaultLayoutLimits, maxEntries: 100_000 };

/** Options of {@link ImageArchive.open}. */
export interface OpenImageArchiveOptions extends OperationOptions {
  /** How large it may be. */
  readonly limits?: Partial<ArchiveLimits>;
  /** What it is called in messages; its path unless given. */
  readonly what?: string;
}

/** What an {@link ImageArchive} is read as. */
export type ArchiveForm = "layout" | "docker";

/**
 * An archive of images that is read in place: a packed image layout, or what `docker save` writes, old or new. One that
 * is both is read as a layout.
 *
 * Opening it reads the headers of its files; of a docker archive without a layout also the files that its listing names,
 * to know their digests. Nothing is unpacked, and no name of it becomes a name on the host.
 */
export class ImageArchive implements ReadonlyTarget, GraphTarget, AsyncDisposable {
  /** What it is read as. */
  readonly form: ArchiveForm;
  /** Its images, in its own order, with the names that they have there. */
  readonly images: readonly NamedEntry[];
  /** Chunks are made for their reader. */
  readonly ownsNoChunks = true;
  readonly #content: ArchiveContent;
  readonly #limits: ArchiveLimits;
  readonly #close: () => Promise<void>;

  private constructor(parts: {
    readonly form: ArchiveForm;
    readonly images: readonly NamedEntry[];
    readonly content: ArchiveContent;
    readonly limits: ArchiveLimits;
    readonly close: () => Promise<void>;
  }) {
    this.form = parts.form;
    this.images = parts.images;
    this.#content = parts.content;
    this.#limits = parts.limits;
    this.#close = parts.close;
  }

  /**
   * Opens an archive that is not compressed.
   *
   * @param source - Its path, or a file that stays the caller's to close.
   * @throws {@link OrasError} `OCI_NOT_FOUND`, `OCI_ARCHIVE_CORRUPT`, `OCI_LAYOUT_MISSING`, `OCI_LAYOUT_INVALID`,
   * `OCI_LAYOUT_VERSION`, `OCI_INVALID_JSON`, `OCI_TOO_LARGE`, `OCI_TOO_DEEP`, `OCI_UNSAFE_NAME`, and
   * `ORAS_UNSUPPORTED` for a compressed one; IoError.
   */
  static async open(
    source: string | RandomAccess,
    options: OpenImageArchiveOptions = {},
  ): Promise<ImageArchive> {
    if (typeof source !== "string") {
      return ImageArchive.#read(source, options, options.what ?? "in memory", async () => {});
    }
    const path = resolvePath(source);
    const file = await openArchiveFile(path);
    const close = (): Promise<void> => file.close();
    try {
      return await ImageArchive.#read(file, options, options.what ?? path, close);
    } catch (error) {
      await close();
      throw error;
    }
  }

  /** {@inheritDoc Fetcher.place} */
  get place(): string {
    return this.#content.place;
  }

  /** {@inheritDoc Fetcher.fetch} */
  fetch(descriptor: Descriptor, options: FetchOptions = {}): Promise<AsyncIterable<Uint8Array>> {
    return this.#content.fetch(descriptor, options);
  }

  /** {@inheritDoc ReadonlyStorage.exists} */
  exists(descriptor: Descriptor): Promise<boolean> {
    return this.#content.exists(descriptor);
  }

  /** Finds a name as the archive writes it, a digest of an image, or the digest of another manifest in it. */
  async resolve(reference: string): Promise<Descriptor> {
    const named = findEntry(this.images, reference, this.#place);
    if (named !== undefined) return named;
    const { maxManifestBytes } = this.#limits;
    const found = isDigest(reference)
      ? await this.#content.describeManifest(reference, maxManifestBytes)
      : undefined;
    if (found === undefined) throw noEntry(this.#place, reference, this.images);
    return found;
  }

  /** The only image. Never takes the first of several. */
  async resolveOnly(): Promise<Descriptor> {
    return onlyEntry(this.images, this.#place);
  }

  /** {@inheritDoc GraphTarget.predecessors} */
  predecessors(descriptor: Descriptor, options: OperationOptions = {}): AsyncIterable<Descriptor> {
    return findReferrers(this.#content, descriptor.digest, { ...options, ...this.#limits });
  }

  /** Closes its file, when it opened it. Closing twice does nothing. */
  close(): Promise<void> {
    return this.#close();
  }

  /** {@inheritDoc ImageArchive.close} */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }

  static async #read(
    file: RandomAccess,
    options: OpenImageArchiveOptions,
    what: string,
    close: () => Promise<void>,
  ): Promise<ImageArchive> {
    const { signal } = options;
    const limits = { ...defaultArchiveLimits, ...options.limits };
    const compression = detectCompression(await file.read(0, magicBytes));
    if (compression !== "none") {
      throw archiveError("ORAS_UNSUPPORTED", what, "it is compressed; decompress it first");
    }
    const index = await indexArchive(file, { what, signal, maxEntries: limits.maxEntries });
    const content = new ArchiveContent(file, what);
    const documents = new Documents(file, index, what);
    const marker = await documents.read("oci-layout", maxMarkerBytes);
    if (marker !== undefined) {
      validateMarker(marker, what);
      const images = await readLayoutImages(documents, limits.maxIndexBytes, what);
      addBlobs(content, index);
      return new ImageArchive({ form: "layout", images, content, limits, close });
    }
    const listing = await documents.read("manifest.json", limits.maxManifestBytes);
    if (listing === undefined) {
      throw corruptArchive(what, "it has neither an oci-layout nor a manifest.json file");
    }
    const images = await readDockerImages(listing, index, content, { signal, ...limits });
    return new ImageArchive({ form: "docker", images, content, limits, close });
  }

  get #place(): EntryPlace {
    return { what: this.place, path: this.#content.what };
  }
}

/** The small files of an archive. */
class Documents {
  readonly #file: RandomAccess;
  readonly #index: ArchiveIndex;
  readonly #what: string;

  constructor(file: RandomAccess, index: ArchiveIndex, what: string) {
    this.#file = file;
    this.#index = index;
    this.#what = what;
  }

  async read(name: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const range = this.#index.find(name);
    if (range === undefined) return undefined;
    if (range.size > maxBytes) {
      const why = `its ${name} of ${range.size} bytes exceeds the limit of ${maxBytes}`;
      throw archiveError("OCI_TOO_LARGE", this.#what, why);
    }
    const bytes = await this.#file.read(range.offset, range.size);
    if (bytes.byteLength === range.size) return bytes;
    throw corruptArchive(this.#what, "it was cut meanwhile");
  }
}

async function readLayoutImages(
  documents: Documents,
  maxBytes: number,
  what: string,
): Promise<readonly NamedEntry[]> {
  const bytes = await documents.read("index.json", maxBytes);
  if (bytes === undefined) throw missingLayout(what, "index.json");
  const { manifests } = parseIndexFile(bytes, what, maxBytes);
  return manifests.map((descriptor) => ({ descriptor, names: namesOf(descriptor) }));
}

/** Blobs are verified when they are read: their names only say where to look. */
function addBlobs(content: ArchiveContent, index: ArchiveIndex): void {
  for (const name of index.names()) {
    const [top, algorithm, hex, more] = name.split("/");
    const digest = `${algorithm}:${hex}`;
    if (top !== "blobs" || more !== undefined || !isDigest(digest)) continue;
    const range = index.find(name, true);
    if (range !== undefined) content.addRange(digest, range);
  }
}

async function openArchiveFile(path: string): Promise<OpenFile> {
  try {
    return await openFile(path);
  } catch (error) {
    if (!isBoxError(error) || error.code !== "IO_NOT_FOUND") throw error;
    throw new OrasError({
      code: "OCI_NOT_FOUND",
      message: `cannot find the archive ${path}`,
      details: { path },
      hint: "check the path",
      cause: error,
    });
  }
}

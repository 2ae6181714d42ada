import type { RandomAccess } from "@box/io";
import type { Descriptor } from "../content/descriptor.ts";
import { type Digest, digestOf } from "../content/digest.ts";
import { parseManifest } from "../content/manifest.ts";
import {
  bytesSource,
  type FetchOptions,
  type OperationOptions,
  type ReadonlyStorage,
} from "../content/target.ts";
import { readAll, verifyContent, wrongSize } from "../content/verify.ts";
import { OrasError } from "../errors.ts";
import { throwIfAborted } from "../transport/pacing.ts";
import { corruptArchive } from "./archive-error.ts";
import type { ArchiveRange } from "./archive-index.ts";

/** The content of an archive by digest: ranges of its file, and documents made from it. */
export class ArchiveContent implements ReadonlyStorage {
  /** What the archive is called in messages. */
  readonly what: string;
  /** Chunks are read for whoever asked. */
  readonly ownsNoChunks = true;
  readonly #file: RandomAccess;
  readonly #ranges: Map<Digest, ArchiveRange> = new Map();
  readonly #documents: Map<Digest, Uint8Array> = new Map();

  constructor(file: RandomAccess, what: string) {
    this.#file = file;
    this.what = what;
  }

  /** {@inheritDoc Fetcher.place} */
  get place(): string {
    return `archive ${this.what}`;
  }

  /** Lets a range stand for its digest. */
  addRange(digest: Digest, range: ArchiveRange): void {
    this.#ranges.set(digest, range);
  }

  /** Keeps a document that the archive itself does not hold. */
  addDocument(bytes: Uint8Array): Digest {
    const digest = digestOf(bytes);
    this.#documents.set(digest, bytes);
    return digest;
  }

  /** {@inheritDoc Fetcher.fetch} */
  async fetch(
    descriptor: Descriptor,
    options: FetchOptions = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    const { offset = 0, verify = true, signal } = options;
    const chunks = await this.#open(descriptor, offset, signal);
    return offset === 0 && verify ? verifyContent(chunks, descriptor, this.place) : chunks;
  }

  /** {@inheritDoc ReadonlyStorage.exists} */
  async exists({ digest, size }: Descriptor): Promise<boolean> {
    return this.#sizeOf(digest) === size;
  }

  /** All content, with its size. */
  async *blobs(): AsyncGenerator<Pick<Descriptor, "digest" | "size">, void, undefined> {
    for (const digest of [...this.#documents.keys(), ...this.#ranges.keys()]) {
      yield { digest, size: this.#sizeOf(digest) ?? 0 };
    }
  }

  /** Describes a manifest that only its digest is known of. */
  async describeManifest(digest: Digest, maxBytes: number): Promise<Descriptor | undefined> {
    const size = this.#sizeOf(digest);
    if (size === undefined) return undefined;
    const chunks = await this.fetch({ mediaType: "", digest, size });
    const bytes = await readAll(chunks, maxBytes, `manifest ${digest}`);
    return { mediaType: parseManifest(bytes, { what: digest, maxBytes }).mediaType, digest, size };
  }

  /**
   * Reads a part of the archive piece by piece.
   *
   * @param into - The memory of all pieces, which are each of use until the next one; new memory for each unless given.
   */
  async *read(
    { offset, size }: ArchiveRange,
    { signal }: OperationOptions = {},
    into?: Uint8Array,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const stepBytes = into?.byteLength ?? 1024 * 1024;
    for (let done = 0; done < size; done += stepBytes) {
      throwIfAborted(signal);
      const wanted = Math.min(stepBytes, size - done);
      const bytes = await this.#file.read(offset + done, wanted, into);
      if (bytes.byteLength < wanted) throw corruptArchive(this.what, "it was cut meanwhile");
      yield bytes;
    }
  }

  async #open(
    descriptor: Descriptor,
    offset: number,
    signal: AbortSignal | undefined,
  ): Promise<AsyncIterable<Uint8Array>> {
    const { digest } = descriptor;
    const size = this.#sizeOf(digest);
    if (size === undefined) throw this.#incomplete(digest);
    if (size !== descriptor.size) throw wrongSize(descriptor, String(size));
    const document = this.#documents.get(digest);
    // Copied, because chunks are their reader's.
    if (document !== undefined) return bytesSource(document.slice(offset)).open(0);
    const range = this.#ranges.get(digest) ?? { offset: 0, size: 0 };
    return this.read({ offset: range.offset + offset, size: range.size - offset }, { signal });
  }

  #sizeOf(digest: Digest): number | undefined {
    return this.#documents.get(digest)?.byteLength ?? this.#ranges.get(digest)?.size;
  }

  #incomplete(digest: Digest): OrasError {
    return new OrasError({
      code: "OCI_NOT_FOUND",
      message: `cannot find ${digest} in archive ${this.what}`,
      details: { path: this.what, reference: digest },
      hint: "the archive is incomplete: save the image again",
    });
  }
}

import type { RandomAccess } from "./random-access.ts";

/** Reads a `Blob` or a browser's `File` at byte offsets, without loading it whole. */
export class BlobFile implements RandomAccess {
  readonly #blob: Blob;

  constructor(blob: Blob) {
    this.#blob = blob;
  }

  /** {@inheritDoc RandomAccess.size} */
  async size(): Promise<number> {
    return this.#blob.size;
  }

  /** {@inheritDoc RandomAccess.read} */
  async read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    const found = new Uint8Array(await this.#blob.slice(offset, offset + length).arrayBuffer());
    if (into === undefined) return found;
    into.set(found);
    return into.subarray(0, found.byteLength);
  }
}

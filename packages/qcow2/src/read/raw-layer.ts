import type { SourceReader } from "../bytes/source-reader.ts";
import type { DiskLayer, Extent } from "./disk-layer.ts";

/** A raw file as a disk. */
export class RawLayer implements DiskLayer {
  readonly sizeBytes: number;
  readonly #reader: SourceReader;
  readonly #close: () => Promise<void>;

  constructor(reader: SourceReader, close: () => Promise<void>) {
    this.#reader = reader;
    this.sizeBytes = reader.sizeBytes;
    this.#close = close;
  }

  /** {@inheritDoc DiskLayer.readInto} */
  async readInto(start: number, into: Uint8Array): Promise<void> {
    const found = await this.#reader.readAvailable(start, into.byteLength, into);
    into.fill(0, found.byteLength);
  }

  /** {@inheritDoc DiskLayer.extents} */
  async *extents(start: number, length: number, depth: number): AsyncGenerator<Extent> {
    yield { start, length, depth, kind: "data", hostOffset: start };
  }

  /** {@inheritDoc DiskLayer.close} */
  async close(): Promise<void> {
    await this.#close();
  }
}

import type { SourceReader } from "../bytes/source-reader.ts";
import type { DiskLayer, Extent } from "./disk-layer.ts";

const sectorBytes = 512;

/** A raw file as a disk: of whole sectors, the last of them filled up with zeros. */
export class RawLayer implements DiskLayer {
  readonly sizeBytes: number;
  readonly #reader: SourceReader;
  readonly #close: () => Promise<void>;

  constructor(reader: SourceReader, close: () => Promise<void>) {
    this.#reader = reader;
    this.sizeBytes = Math.ceil(reader.sizeBytes / sectorBytes) * sectorBytes;
    this.#close = close;
  }

  /** {@inheritDoc DiskLayer.readInto} */
  async readInto(start: number, into: Uint8Array): Promise<void> {
    const found = await this.#reader.readAvailable(start, into.byteLength, into);
    into.fill(0, found.byteLength);
  }

  /** {@inheritDoc DiskLayer.extents} */
  async *extents(start: number, length: number, depth: number): AsyncGenerator<Extent> {
    const stored = Math.min(length, Math.max(0, this.#reader.sizeBytes - start));
    if (stored > 0) yield { start, length: stored, depth, kind: "data", hostOffset: start };
    if (stored === length) return;
    const end = start + stored;
    yield { start: end, length: length - stored, depth, kind: "zero", hostOffset: end };
  }

  /** {@inheritDoc DiskLayer.close} */
  async close(): Promise<void> {
    await this.#close();
  }
}

import type { DataRun } from "@box/ext4";

/** Granularity of holes: ext4's block size here. */
const blockBytes = 4096;

/** Blocks of zeros between data that become a hole. Fewer stay data, so that a file has few extents. */
const minHoleBlocks = 16;

const zeroBlock = Buffer.alloc(blockBytes);

/** Whether bytes, at most one block, are all zero. */
export function isZero(bytes: Uint8Array): boolean {
  // Nearly every block that is not zero shows it at its start or its end.
  if (bytes[0] !== 0 || bytes[bytes.byteLength - 1] !== 0) return bytes.byteLength === 0;
  return zeroBlock.compare(bytes, 0, bytes.byteLength, 0, bytes.byteLength) === 0;
}

/**
 * Finds which parts of a file are data while its content passes by.
 *
 * Only the content decides, not how it is cut into chunks. What is never added is a hole.
 */
export class DataRunFinder {
  readonly #runs: { offset: number; length: number }[] = [];
  readonly #sizeBytes: number;
  /** The block last seen to hold anything but zeros. */
  #lastBlock = -1;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  /** Adds content; offsets only grow. */
  add(fileOffset: number, bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.byteLength) {
      const block = Math.floor((fileOffset + at) / blockBytes);
      const end = Math.min(bytes.byteLength, (block + 1) * blockBytes - fileOffset);
      if (block !== this.#lastBlock && !isZero(bytes.subarray(at, end))) this.#addBlock(block);
      at = end;
    }
  }

  /** The ranges of data, or nothing when all of the file is data. */
  finish(): DataRun[] | undefined {
    const runs = this.#runs.map(({ offset, length }) => ({
      offset,
      length: Math.min(length, this.#sizeBytes - offset),
    }));
    const [first] = runs;
    return first?.offset === 0 && first.length === this.#sizeBytes ? undefined : runs;
  }

  #addBlock(block: number): void {
    const run = this.#runs.at(-1);
    const offset = block * blockBytes;
    if (run !== undefined && block - this.#lastBlock <= minHoleBlocks) {
      run.length = offset + blockBytes - run.offset;
    } else {
      this.#runs.push({ offset, length: blockBytes });
    }
    this.#lastBlock = block;
  }
}

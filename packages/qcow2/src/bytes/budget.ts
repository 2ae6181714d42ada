import { Qcow2Error, type Qcow2Structure } from "../errors.ts";

/** Counts the memory that one operation takes for metadata and refuses to go over its limit. */
export class MemoryBudget {
  readonly #limitBytes: number;
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Takes bytes before they are allocated; `QCOW2_METADATA_LIMIT` when that would be too much. */
  take(lengthBytes: number, structure: Qcow2Structure): void {
    if (this.#usedBytes + lengthBytes > this.#limitBytes) {
      throw new Qcow2Error({
        code: "QCOW2_METADATA_LIMIT",
        message: `the ${structure} needs ${lengthBytes} bytes of memory, which is over the limit of ${this.#limitBytes}`,
        structure,
        details: { lengthBytes, limitBytes: this.#limitBytes, usedBytes: this.#usedBytes },
      });
    }
    this.#usedBytes += lengthBytes;
  }

  /** Gives bytes back. */
  give(lengthBytes: number): void {
    this.#usedBytes -= lengthBytes;
  }
}

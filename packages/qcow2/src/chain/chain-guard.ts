import type { RandomAccess } from "@box/io";
import { Qcow2Error } from "../errors.ts";

/** Knows the files of a chain by identity, so that a loop and a chain that is too long are refused. */
export class ChainGuard {
  readonly #maxDepth: number;
  readonly #sources = new Set<RandomAccess>();
  readonly #identities = new Set<string>();

  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth;
  }

  /** Refuses a depth over the limit, before the file is opened. */
  requireDepth(depth: number): void {
    if (depth <= this.#maxDepth) return;
    throw new Qcow2Error({
      code: "QCOW2_CHAIN_TOO_DEEP",
      message: `the chain of backing files is longer than ${this.#maxDepth}`,
      details: { maxChainDepth: this.#maxDepth },
    });
  }

  /** Refuses a qcow2 file that is in the chain already. A raw file may be: it only reads its own bytes. */
  enter(source: RandomAccess, displayName: string): void {
    const identity = source.identity?.();
    const isKnown =
      this.#sources.has(source) || (identity !== undefined && this.#identities.has(identity));
    if (isKnown) {
      throw new Qcow2Error({
        code: "QCOW2_BACKING_CYCLE",
        message: `the backing file ${displayName} is in its own chain already`,
        details: { name: displayName },
      });
    }
    this.#sources.add(source);
    if (identity !== undefined) this.#identities.add(identity);
  }
}

import type { RandomAccess } from "@box/io";
import { toSourceError } from "../bytes/source-reader.ts";
import { Qcow2Error } from "../errors.ts";

/**
 * What a file is in a chain: a qcow2 image, a raw disk below one, or the external data file of one.
 */
export type ChainUse = "image" | "raw" | "data";

/** What a file may be already when it is used once more; a raw disk only ever reads its own bytes. */
const allowed: Readonly<Record<ChainUse, readonly ChainUse[]>> = {
  image: ["raw"],
  raw: ["image", "raw"],
  data: [],
};

/**
 * Knows the files of a chain by identity, so that a loop, a chain that is too long, and a data file that is something else
 * as well are refused: what is written to it would destroy an image.
 */
export class ChainGuard {
  readonly #maxDepth: number;
  readonly #uses = new Map<RandomAccess | string, Set<ChainUse>>();

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

  /**
   * Takes a file into the chain.
   *
   * @throws {@link Qcow2Error} `QCOW2_BACKING_CYCLE` for an image that is in the chain already, `QCOW2_DATA_FILE_SHARED` for a
   * data file that is, and for any file that is a data file already.
   */
  enter(source: RandomAccess, use: ChainUse, displayName: string): void {
    const keys = [source, identityOf(source)].filter((key) => key !== undefined);
    const known = keys.flatMap((key) => [...(this.#uses.get(key) ?? [])]);
    const clash = known.find((other) => !allowed[use].includes(other));
    if (clash !== undefined) throw refuse(use, clash, displayName);
    for (const key of keys) this.#uses.set(key, new Set([...known, use]));
  }
}

function identityOf(source: RandomAccess): string | undefined {
  try {
    return source.identity?.();
  } catch (cause) {
    throw toSourceError(cause, "tell which file it is");
  }
}

function refuse(use: ChainUse, clash: ChainUse, name: string): Qcow2Error {
  const details = { name };
  if (use !== "data" && clash !== "data") {
    return new Qcow2Error({
      code: "QCOW2_BACKING_CYCLE",
      message: `the backing file ${name} is in its own chain already`,
      details,
    });
  }
  const what = use === "data" ? "data file" : "backing file";
  const other = clash === "data" ? "a data file" : "an image or a backing file";
  return new Qcow2Error({
    code: "QCOW2_DATA_FILE_SHARED",
    message: `the ${what} ${name} is also ${other} of the same chain`,
    details,
    hint: "nothing was written; a data file belongs to one image alone",
  });
}

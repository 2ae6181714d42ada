import { ImageError } from "../errors.ts";

/** How far compressed content may expand. */
export interface ExpansionLimits {
  /** The most bytes of what it expands to. */
  readonly maxTarBytes: number;
  /** How many times larger than its compressed form it may be. */
  readonly maxRatio: number;
  /** The ratio counts from so many bytes on. */
  readonly ratioFromBytes: number;
}

/** Stops content that expands too far, while it does. */
export class ExpansionGuard {
  readonly #what: string;
  readonly #limits: ExpansionLimits;
  readonly #details: Readonly<Record<string, unknown>>;
  #bytes = 0;

  /**
   * @param what - What is being done, for messages: `cannot unpack layer X`.
   * @param details - What errors tell besides.
   */
  constructor(
    what: string,
    limits: ExpansionLimits,
    details: Readonly<Record<string, unknown>> = {},
  ) {
    this.#what = what;
    this.#limits = limits;
    this.#details = details;
  }

  /**
   * Counts expanded bytes.
   *
   * @param inputBytes - How much of the compressed form has been read.
   * @throws {@link ImageError} `OCI_LAYER_TOO_LARGE`.
   */
  add(bytes: number, inputBytes: number): void {
    const { maxTarBytes, maxRatio, ratioFromBytes } = this.#limits;
    this.#bytes += bytes;
    const isBomb = this.#bytes > ratioFromBytes && this.#bytes > inputBytes * maxRatio;
    if (this.#bytes <= maxTarBytes && !isBomb) return;
    throw new ImageError({
      code: "OCI_LAYER_TOO_LARGE",
      message: isBomb
        ? `${this.#what}: it expands more than ${maxRatio} times`
        : `${this.#what}: it exceeds ${maxTarBytes} bytes`,
      details: { ...this.#details, expandedBytes: this.#bytes },
    });
  }
}

/** Output of a command on its way to its one reader. */
export class RemoteOutput implements AsyncIterable<Uint8Array> {
  readonly #chunks: Uint8Array[] = [];
  readonly #taken: (bytes: number) => void;
  #change = Promise.withResolvers<void>();
  #isEnded = false;
  #isDiscarding = false;
  #failure: { readonly error: unknown } | undefined;

  /** @param taken - Told of bytes that were read or thrown away, so that more may come. */
  constructor(taken: (bytes: number) => void) {
    this.#taken = taken;
  }

  /** More has come. */
  push(bytes: Uint8Array): void {
    if (this.#isDiscarding) {
      this.#taken(bytes.byteLength);
      return;
    }
    this.#chunks.push(bytes);
    this.#wake();
  }

  /** No more comes. */
  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  /** No more comes, for a reason that its reader is to hear after what has come. */
  fail(error: unknown): void {
    if (this.#isEnded) return;
    this.#failure ??= { error };
    this.#wake();
  }

  /** Throws away what waits and what comes. */
  discard(): void {
    this.#isDiscarding = true;
    for (const { byteLength } of this.#chunks.splice(0)) this.#taken(byteLength);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk !== undefined) {
          this.#taken(chunk.byteLength);
          yield chunk;
        } else if (this.#failure !== undefined) {
          throw this.#failure.error;
        } else if (this.#isEnded) {
          return;
        } else {
          await this.#change.promise;
        }
      }
    } finally {
      this.discard();
    }
  }

  #wake(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }
}

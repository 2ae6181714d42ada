import { VmError } from "../errors.ts";

const capacityBytes = 64 * 1024;

/** Bytes on their way from one writer to one reader; a full one makes the writer wait. */
export class BytePipe implements AsyncIterable<Uint8Array> {
  readonly #chunks: Uint8Array[] = [];
  readonly #waiting = new Set<() => void>();
  #bytes = 0;
  #isEnded = false;
  #isDiscarding = false;
  #failure: { readonly error: unknown } | undefined;

  /** Takes bytes; resolves when there is room for more. @throws VmError `VM_STREAM_CLOSED`; what it was failed with. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#requireOpen();
    if (this.#isDiscarding || bytes.byteLength === 0) return;
    this.#chunks.push(bytes.slice());
    this.#bytes += bytes.byteLength;
    this.#wake();
    while (this.#bytes >= capacityBytes) {
      await this.#change();
      if (this.#isDiscarding) return;
      this.#requireOpen();
    }
  }

  /** No more comes. */
  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  /** Nothing more is read or written, what waits included. */
  fail(error: unknown): void {
    if (this.#isEnded && this.#chunks.length === 0) return;
    this.#failure ??= { error };
    this.#wake();
  }

  /** Throws away what waits and what comes. */
  discard(): void {
    this.#isDiscarding = true;
    this.#chunks.length = 0;
    this.#bytes = 0;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk !== undefined) {
          this.#bytes -= chunk.byteLength;
          this.#wake();
          yield chunk;
        } else if (this.#failure !== undefined) {
          throw this.#failure.error;
        } else if (this.#isEnded) {
          return;
        } else {
          await this.#change();
        }
      }
    } finally {
      this.discard();
    }
  }

  #requireOpen(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (!this.#isEnded) return;
    throw new VmError({
      code: "VM_STREAM_CLOSED",
      message: "cannot write to a command that takes no more input",
    });
  }

  async #change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    await promise;
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}

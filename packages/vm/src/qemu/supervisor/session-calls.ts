import { Caller } from "@box/guest/calls";
import { type HostMessage, initialCreditBytes, maxDataBytes } from "@box/guest/protocol";

/** Sends something to the stream. */
type Tell = (message: Extract<HostMessage, { readonly streamId: number }>) => void;

/** Hears a stream of a session to a process of the guest that carries out calls, and speaks to it. */
export class SessionCalls {
  readonly caller: Caller;
  readonly #tell: Tell;
  readonly #chunks: Uint8Array[] = [];
  readonly #input: Uint8Array[] = [];
  #change = Promise.withResolvers<void>();
  #credit = initialCreditBytes;
  #streamId = 0;
  #isOver = false;
  #failure: { readonly error: Error } | undefined;

  constructor(tell: Tell) {
    this.#tell = tell;
    this.caller = new Caller({
      write: async (bytes) => {
        this.#input.push(bytes);
        this.#pump();
      },
      output: this.#output(),
    });
  }

  /** Nothing more is to be done. */
  finish(): void {
    this.#tell({ type: "eof", streamId: this.#streamId });
  }

  /** Nothing is wanted of it any more. */
  cancel(): void {
    this.#tell({ type: "cancel", streamId: this.#streamId });
  }

  begin(streamId: number): void {
    this.#streamId = streamId;
  }

  output(channel: "out" | "err", bytes: Uint8Array): void {
    if (channel === "out") this.#chunks.push(bytes.slice());
    this.#wake();
  }

  credit(bytes: number): void {
    this.#credit += bytes;
    this.#pump();
  }

  lost(error: Error): void {
    this.#failure ??= { error };
  }

  over(): void {
    this.#isOver = true;
    this.#wake();
  }

  end(): void {}

  closed(): void {}

  exit(): void {}

  async *#output(): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        const streamId = this.#streamId;
        const bytes = chunk.byteLength;
        this.#tell({ type: "credit", streamId, channel: "out", bytes });
        yield chunk;
      } else if (this.#failure !== undefined) throw this.#failure.error;
      else if (this.#isOver) return;
      else await this.#change.promise;
    }
  }

  #pump(): void {
    for (
      let first = this.#input[0];
      first !== undefined && this.#credit > 0;
      first = this.#input[0]
    ) {
      const bytes = first.subarray(0, Math.min(this.#credit, maxDataBytes));
      this.#credit -= bytes.byteLength;
      this.#tell({ type: "data", streamId: this.#streamId, bytes });
      if (bytes.byteLength < first.byteLength) this.#input[0] = first.subarray(bytes.byteLength);
      else this.#input.shift();
    }
  }

  #wake(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }
}

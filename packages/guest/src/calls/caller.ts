import { protocolError } from "../protocol/frames.ts";
import { type CallBatch, goesOnAfter, type SentCall } from "./call-batch.ts";
import { CallFailure, inputOutputError } from "./call-failure.ts";

/** A stream to a process of the agent that carries out calls. */
export interface CallStream {
  /** Sends bytes; resolves when more may be sent. */
  write(bytes: Uint8Array): Promise<void>;
  /** What comes back. */
  readonly output: AsyncIterable<Uint8Array>;
}

/** What a call gave back. */
export interface CallResult {
  /** 0 or more, or an error number as a negative number. */
  readonly value: number;
  /** What it was to tell; empty when it failed. */
  readonly bytes: Uint8Array;
}

interface Waiting {
  readonly calls: readonly SentCall[];
  readonly answered: PromiseWithResolvers<readonly CallResult[]>;
}

const none = new Uint8Array(0);
const resultBytes = 8;
const longestOutput = 1024 * 1024;

/** Has system calls carried out in a guest. Batches are carried out in the order that they are given in; several may be on their way. */
export class Caller {
  readonly #stream: CallStream;
  readonly #waiting: Waiting[] = [];
  #held: Uint8Array = none;
  #chunks: AsyncIterator<Uint8Array>;
  #isReading = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(stream: CallStream) {
    this.#stream = stream;
    this.#chunks = stream.output[Symbol.asyncIterator]();
  }

  /**
   * Carries out a batch. After a failure that it does not go on after nothing is done any more, of later batches neither.
   *
   * @throws CallFailure when a call failed that was not to fail; what the stream throws.
   */
  async run(batch: CallBatch): Promise<readonly CallResult[]> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const answered = Promise.withResolvers<readonly CallResult[]>();
    answered.promise.catch(() => {});
    this.#waiting.push({ calls: batch.calls, answered });
    const sent = this.#stream.write(batch.encode());
    // Why it cannot be sent is told by what comes back, when anything does.
    sent.catch(() => {});
    if (!this.#isReading) void this.#read();
    return answered.promise;
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    try {
      for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
        const results: CallResult[] = [];
        for (const call of first.calls) results.push(await this.#result(call));
        this.#waiting.shift();
        const failure = failureOf(first.calls, results);
        if (failure !== undefined) throw this.#fail(failure, first);
        first.answered.resolve(results);
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#isReading = false;
  }

  #fail(error: unknown, first?: Waiting): unknown {
    this.#failure ??= { error };
    first?.answered.reject(this.#failure.error);
    for (const { answered } of this.#waiting.splice(0)) answered.reject(this.#failure.error);
    return error;
  }

  async #result({ tells }: SentCall): Promise<CallResult> {
    while (this.#held.byteLength < resultBytes) await this.#more();
    const view = new DataView(this.#held.buffer, this.#held.byteOffset, resultBytes);
    const value = Number(view.getBigInt64(0, true));
    const told = tells?.length === "result" ? value : (tells?.length ?? 0);
    const length = value < 0 ? 0 : told;
    if (length > longestOutput) throw protocolError("a call gave back more than it can");
    while (this.#held.byteLength < resultBytes + length) await this.#more();
    const bytes = this.#held.subarray(resultBytes, resultBytes + length);
    this.#held = this.#held.subarray(resultBytes + length);
    return { value, bytes };
  }

  async #more(): Promise<void> {
    const next = await this.#chunks.next();
    if (next.done === true) throw new CallFailure("errno", inputOutputError, "it ended early");
    const left = this.#held;
    const joined = new Uint8Array(left.byteLength + next.value.byteLength);
    joined.set(left);
    joined.set(next.value, left.byteLength);
    this.#held = joined;
  }
}

function failureOf(
  calls: readonly SentCall[],
  results: readonly CallResult[],
): CallFailure | undefined {
  for (const [index, { value }] of results.entries()) {
    const call = calls[index];
    if (call === undefined) continue;
    const { what, path, exactly = value, failure, errno = -value } = call;
    if (!goesOnAfter(call, value)) return CallFailure.of(errno, what, path, failure);
    if (value >= 0 && value !== exactly) {
      return new CallFailure("errno", inputOutputError, `${what}: only a part was done`);
    }
  }
  return undefined;
}

/** A call that a played guest is asked for. */
export interface PlayedCall {
  readonly name: number;
  readonly values: readonly number[];
  /** Bytes of the memory from an address. */
  bytes(address: number, length: number): Buffer;
  /** The text at an address. */
  text(address: number): string;
}

/** What it answers: 0 unless given. */
export type PlayCall = (
  call: PlayedCall,
) => { readonly result?: number; readonly told?: Uint8Array } | undefined;

const memoryAddress = 0x10_0000_0000;
const headBytes = 8;
const callBytes = 64;
const wholeResult = 0xffff_ffff;

/** Answers batches of calls, as a kernel would that does nothing. */
export class PlayedCalls {
  readonly #play: PlayCall;
  #held: Buffer = Buffer.alloc(0);

  constructor(play: PlayCall) {
    this.#play = play;
  }

  /** Takes the next bytes. @returns The answers to batches that are whole. */
  push(bytes: Uint8Array): Buffer {
    this.#held = Buffer.concat([this.#held, bytes]);
    const answers: Buffer[] = [];
    for (;;) {
      const length = this.#held.length < headBytes ? 0 : this.#held.readUInt32LE(0);
      if (length === 0 || this.#held.length < headBytes + length) return Buffer.concat(answers);
      const count = this.#held.readUInt32LE(4);
      const memory = this.#held.subarray(headBytes, headBytes + length);
      for (let left = count; left > 0; left--) {
        answers.push(this.#answer(memory, memory.subarray(length - left * callBytes)));
      }
      this.#held = this.#held.subarray(headBytes + length);
    }
  }

  #answer(memory: Buffer, call: Buffer): Buffer {
    const values = [0, 1, 2, 3, 4].map((place) => Number(call.readBigUInt64LE(24 + place * 8)));
    const { result = 0, told } =
      this.#play({
        name: call.readUInt16LE(0),
        values,
        bytes: (address, length) =>
          memory.subarray(address - memoryAddress, address - memoryAddress + length),
        text: (address) => {
          const at = address - memoryAddress;
          return memory.toString("utf8", at, memory.indexOf(0, at));
        },
      }) ?? {};
    const wanted = call.readUInt32LE(16);
    const value = wanted === wholeResult ? (told?.byteLength ?? result) : result;
    const length = value < 0 ? 0 : wanted === wholeResult ? value : wanted;
    const answer = Buffer.alloc(8 + length);
    answer.writeBigInt64LE(BigInt(value));
    answer.set((told ?? new Uint8Array(0)).subarray(0, length), 8);
    return answer;
  }
}

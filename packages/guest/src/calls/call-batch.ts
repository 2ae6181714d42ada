import type { AgentFailure } from "../protocol/agent-failures.ts";

/**
 * The system calls that the agent carries out. On the wire the place in the list: the numbers of the kernel differ between
 * architectures, and `packages/guest/agent/calls.c` has the same list.
 */
export const callNames = [
  "close",
  "read",
  "write",
  "openat",
  "openat2",
  "statx",
  "getdents64",
  "readlinkat",
  "mkdirat",
  "unlinkat",
  "symlinkat",
  "linkat",
  "fchmod",
  "fchownat",
  "utimensat",
  "pread64",
  "statfs",
  "ioctl",
  "mount",
  "open_tree",
  "move_mount",
  "setns",
  "unshare",
  "chdir",
  "chroot",
  "sethostname",
  "clock_settime",
  "socket",
  "dup3",
  "finit_module",
  "prlimit64",
  "reboot",
] as const;

/** A system call that the agent carries out. */
export type CallName = (typeof callNames)[number];

/** A place in the agent's memory that holds a number, such as a descriptor. As an argument of a call it is what it holds then. */
export interface Word {
  /** Its offset in the memory. */
  readonly at: number;
}

/** What is to be known about a call, besides what it does. */
export interface CallOptions {
  /** Where its result is put; nowhere unless given. */
  readonly into?: Word;
  /** Leaves it out when this place has 0 or more, which is its result then. */
  readonly unless?: Word;
  /** What is told with its result: so many bytes at an address, or as many as its result says. */
  readonly tells?: { readonly address: number; readonly length: number | "result" };
  /** Error numbers that the calls go on after; unless given, none. What follows such a failure is not done. */
  readonly goesOn?: "always" | readonly number[];
  /** The result that it must have. */
  readonly exactly?: number;
  /** What is tried, for people, such as `cannot open`. */
  readonly what?: string;
  /** What its failure means; what its error number says unless given. */
  readonly failure?: AgentFailure;
  /** The error number that is told; its own unless given. */
  readonly errno?: number;
  /** What it is tried on, as bytes. */
  readonly path?: Uint8Array;
}

/** What is known about a call that was put into a batch. */
export type SentCall = CallOptions & { readonly name: CallName };

/** Where the agent's memory lies. */
const memoryAddress = 0x10_0000_0000;
/** What of it a batch may fill; then come bytes that calls write, and places that outlive a batch. */
const batchBytes = 0x80000;
const scratchBytes = 0x60000;
const callBytes = 64;
const argumentCount = 5;
const alignment = 8;
const wholeResult = 0xffff_ffff;

/** The address of bytes of the agent's memory that calls may write: what was there before is lost. */
export const scratchAddress: number = memoryAddress + batchBytes;
/** How many bytes there are. */
export const mostScratchBytes: number = scratchBytes;

/** A place that keeps what it holds from batch to batch. @param index - 0 to 16383. */
export function lastingWord(index: number): Word {
  return { at: batchBytes + scratchBytes + index * alignment };
}

/** System calls that the agent carries out one after the other, and what they need. */
export class CallBatch {
  /** The calls that are in it. */
  readonly calls: SentCall[] = [];
  #data: Uint8Array = new Uint8Array(4096);
  #view: DataView = new DataView(this.#data.buffer);
  /** The first word is for results that nobody wants. */
  #length = alignment;
  readonly #arguments: (readonly (number | bigint | Word)[])[] = [];

  /** About how many bytes it has. */
  get bytes(): number {
    return this.#length + this.calls.length * callBytes;
  }

  /** Adds bytes. @returns Their address. */
  data(bytes: Uint8Array): number {
    const at = this.#reserve(bytes.byteLength);
    this.#data.set(bytes, at);
    return memoryAddress + at;
  }

  /** Adds a name and a NUL. @returns Its address. */
  text(text: Uint8Array | string): number {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    const at = this.#reserve(bytes.byteLength + 1);
    this.#data.set(bytes, at);
    return memoryAddress + at;
  }

  /** Adds 64-bit numbers. @returns Their address. */
  numbers(...values: readonly (number | bigint)[]): number {
    const at = this.#reserve(values.length * alignment);
    for (const [index, value] of values.entries()) {
      this.#view.setBigInt64(at + index * alignment, BigInt(value), true);
    }
    return memoryAddress + at;
  }

  /** Adds a place that holds no result yet. */
  word(): Word {
    return { at: this.numbers(-1) - memoryAddress };
  }

  /** Adds a call. @returns Its place in the list of results. */
  call(
    name: CallName,
    values: readonly (number | bigint | Word)[],
    options: CallOptions = {},
  ): number {
    this.#arguments.push(values);
    return this.calls.push({ ...options, name }) - 1;
  }

  /** As the agent reads it. */
  encode(): Uint8Array {
    const length = this.#length + this.calls.length * callBytes;
    if (length > batchBytes) throw new Error(`a batch of ${length} bytes is too large`);
    const bytes = new Uint8Array(alignment + length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, length, true);
    view.setUint32(4, this.calls.length, true);
    bytes.set(this.#data.subarray(0, this.#length), alignment);
    for (const [index, call] of this.calls.entries()) {
      const at = alignment + this.#length + index * callBytes;
      this.#encodeCall(new DataView(bytes.buffer, at, callBytes), call, index);
    }
    return bytes;
  }

  #encodeCall(view: DataView, call: SentCall, index: number): void {
    const values = this.#arguments[index] ?? [];
    const { tells } = call;
    let loads = 0;
    for (let place = 0; place < argumentCount; place++) {
      const value = values[place] ?? 0;
      if (typeof value === "object") loads |= 1 << place;
      const bits = typeof value === "object" ? value.at : value;
      view.setBigInt64(24 + place * 8, BigInt(bits), true);
    }
    view.setUint16(0, callNames.indexOf(call.name), true);
    view.setUint16(2, loads, true);
    view.setUint32(4, maskOf(call.goesOn), true);
    view.setUint32(8, call.into?.at ?? 0, true);
    view.setUint32(12, tells === undefined ? 0 : tells.address - memoryAddress, true);
    view.setUint32(16, tells?.length === "result" ? wholeResult : (tells?.length ?? 0), true);
    view.setUint32(20, call.unless?.at ?? 0, true);
  }

  #reserve(length: number): number {
    const at = this.#length;
    this.#length += Math.ceil(length / alignment) * alignment;
    if (this.#length > this.#data.byteLength) {
      const larger = new Uint8Array(Math.max(this.#length, 2 * this.#data.byteLength));
      larger.set(this.#data);
      this.#data = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

/** Whether the calls of a batch go on after what one gave back. */
export function goesOnAfter({ goesOn = [] }: SentCall, result: number): boolean {
  return result >= 0 || goesOn === "always" || goesOn.includes(-result);
}

function maskOf(goesOn: CallOptions["goesOn"] = []): number {
  if (goesOn === "always") return 1;
  return goesOn.reduce((mask, error) => (mask | (1 << error)) >>> 0, 0);
}

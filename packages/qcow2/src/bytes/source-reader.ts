import { type ErrorKind, isBoxError, kindOf } from "@box/errors";
import type { RandomAccess } from "@box/io";
import { Qcow2Error, type Qcow2ErrorCode, type Qcow2Structure } from "../errors.ts";
import { requireSource } from "../require-arguments.ts";

/** Kinds of a source's own errors that say more than "I/O error" and are kept. */
const keptKinds: Readonly<Partial<Record<ErrorKind, Qcow2ErrorCode>>> = {
  "in-use": "QCOW2_FILE_IN_USE",
  "no-space": "QCOW2_NO_SPACE",
  "read-only": "QCOW2_READ_ONLY",
  network: "QCOW2_NETWORK",
  auth: "QCOW2_AUTH",
  timeout: "QCOW2_TIMEOUT",
  aborted: "QCOW2_ABORTED",
};

/** What systems call a full disk, a time-out and the like, as the `code` or the `name` of an error. */
const systemNames: Readonly<Record<string, Qcow2ErrorCode>> = {
  ENOSPC: "QCOW2_NO_SPACE",
  EDQUOT: "QCOW2_NO_SPACE",
  EFBIG: "QCOW2_NO_SPACE",
  QuotaExceededError: "QCOW2_NO_SPACE",
  EROFS: "QCOW2_READ_ONLY",
  TimeoutError: "QCOW2_TIMEOUT",
};

/** Wraps what a source threw. Never `corrupt`, whatever the source says about itself. */
export function toSourceError(cause: unknown, action: string, offset?: number): Qcow2Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Qcow2Error({
    code: keptKinds[kindOf(cause)] ?? systemCode(cause) ?? "QCOW2_IO",
    message: `cannot ${action}: ${reason}`,
    ...(offset === undefined ? {} : { offset }),
    structure: "file",
    details: isBoxError(cause) ? cause.details : {},
    cause,
  });
}

/** A file that is not there, known by its kind: of a source, or of what opens one. */
function notFoundError(cause: unknown): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_FILE_NOT_FOUND",
    message: cause instanceof Error ? cause.message : "there is no such file",
    structure: "file",
    details: isBoxError(cause) ? cause.details : {},
    cause,
  });
}

function systemCode(cause: unknown): Qcow2ErrorCode | undefined {
  if (isBoxError(cause) || !(cause instanceof Error)) return undefined;
  const { code } = cause as { code?: unknown };
  return [code, cause.name]
    .filter((name) => typeof name === "string" && Object.hasOwn(systemNames, name))
    .map((name) => systemNames[name as string])[0];
}

/** Throws `QCOW2_ABORTED` once the caller has given up. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw new Qcow2Error({
      code: "QCOW2_ABORTED",
      message: "the operation was aborted",
      cause: signal.reason,
    });
  }
}

/**
 * Reads an image file and tells "the file ends here" from "the storage failed".
 *
 * A range that reaches past the size taken when the reader was opened is cut short by the file: corrupt. Bytes missing
 * from inside that size are the storage's failure: io.
 */
export class SourceReader {
  /** The file behind the image. */
  readonly source: RandomAccess;
  #signal: AbortSignal | undefined;
  #sizeBytes: number;
  #touchedEnd = 0;

  private constructor(source: RandomAccess, sizeBytes: number, signal: AbortSignal | undefined) {
    this.source = source;
    this.#sizeBytes = sizeBytes;
    this.#signal = signal;
  }

  /** Takes the file's size. Reads nothing. Only here can a file be missing: one that was there has been lost. */
  static async open(source: RandomAccess, signal?: AbortSignal): Promise<SourceReader> {
    throwIfAborted(signal);
    requireSource(source);
    try {
      return new SourceReader(source, numberOfBytes(await source.size()), signal);
    } catch (cause) {
      if (kindOf(cause) === "not-found") throw notFoundError(cause);
      throw toSourceError(cause, "read the size of the image file");
    }
  }

  /** The file's size in bytes, as last known. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * The first byte behind all that the file has ever had, also from a write that failed in the middle: from there on are
   * zeros.
   */
  get freshFrom(): number {
    return Math.max(this.#sizeBytes, this.#touchedEnd);
  }

  /** Ends work that the caller has given up. */
  throwIfAborted(): void {
    throwIfAborted(this.#signal);
  }

  /** Does work that has to be done also when the caller has given up: it ends what was begun. */
  async regardless<Value>(work: () => Promise<Value>): Promise<Value> {
    const signal = this.#signal;
    this.#signal = undefined;
    try {
      return await work();
    } finally {
      this.#signal = signal;
    }
  }

  /** Told before a write that it may reach this far. */
  mayTouch(end: number): void {
    this.#touchedEnd = Math.max(this.#touchedEnd, end);
  }

  /** Told after a write: the file reaches at least this far. */
  grewTo(sizeBytes: number): void {
    this.#sizeBytes = Math.max(this.#sizeBytes, sizeBytes);
  }

  /** Told after the file was cut. */
  wasCutTo(sizeBytes: number): void {
    this.#sizeBytes = sizeBytes;
    this.#touchedEnd = 0;
  }

  /** Reads what the file has of a range: all of it, or up to the file's end. Asks the storage even when that is nothing. */
  async readAvailable(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    const expected = Math.max(0, Math.min(length, this.#sizeBytes - offset));
    const found = await this.#readOnce(offset, length, into);
    // A source that fills up what it gives behind its end says nothing about the file by it.
    const most = Math.max(0, this.freshFrom - offset);
    if (found.byteLength >= expected) return found.subarray(0, most);
    return this.#readRest(found, offset, expected, into);
  }

  /** Reads a whole structure; one that runs past the end of the file is `QCOW2_TRUNCATED`. */
  async readExactly(
    offset: number,
    length: number,
    structure: Qcow2Structure,
    into?: Uint8Array,
  ): Promise<Uint8Array> {
    const found = await this.readAvailable(offset, length, into);
    if (found.byteLength >= length) return found;
    throw new Qcow2Error({
      code: "QCOW2_TRUNCATED",
      message: `the ${structure} at byte ${offset} needs ${length} bytes, but the file ends at byte ${this.#sizeBytes}`,
      offset,
      structure,
      details: { lengthBytes: length, fileSizeBytes: this.#sizeBytes },
    });
  }

  async #readOnce(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    throwIfAborted(this.#signal);
    try {
      return await readOnce(this.source, offset, length, into);
    } catch (cause) {
      throw toSourceError(cause, `read ${length} bytes at byte ${offset} of the image`, offset);
    }
  }

  /** One more try for the bytes that a source left out although they are inside the file. */
  async #readRest(
    found: Uint8Array,
    offset: number,
    expected: number,
    into?: Uint8Array,
  ): Promise<Uint8Array> {
    const whole = into?.subarray(0, expected) ?? new Uint8Array(expected);
    if (into === undefined) whole.set(found);
    let length = found.byteLength;
    while (length < expected) {
      const next = await this.#readOnce(offset + length, expected - length);
      if (next.byteLength === 0) {
        throw new Qcow2Error({
          code: "QCOW2_SHORT_READ",
          message: `the storage returned ${length} of ${expected} bytes at byte ${offset}, although the file has ${this.#sizeBytes}`,
          offset,
          structure: "file",
        });
      }
      whole.set(next, length);
      length += next.byteLength;
    }
    return whole;
  }
}

/** What a source says its size is. @throws Error when that is none. */
export function numberOfBytes(size: number): number {
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw new Error(`${String(size)} is no number of bytes`);
}

/** Reads what a source gives at once of a range, never more, where the caller asks for it. @throws Error, and what the source throws. */
async function readOnce(
  source: RandomAccess,
  offset: number,
  length: number,
  into?: Uint8Array,
): Promise<Uint8Array> {
  const found = plain(await source.read(offset, length, into)).subarray(0, length);
  return into ? inPlace(found, into) : found;
}

/** As {@link readOnce}, again and again where a source gives less than it is asked for, up to its end. */
export async function readToEnd(
  source: RandomAccess,
  offset: number,
  length: number,
  into?: Uint8Array,
): Promise<Uint8Array> {
  const first = await readOnce(source, offset, length, into);
  if (first.byteLength === length || first.byteLength === 0) return first;
  const whole = into ?? new Uint8Array(length);
  if (into === undefined) whole.set(first);
  let found = first.byteLength;
  while (found < length) {
    const next = await readOnce(source, offset + found, length - found, whole.subarray(found));
    if (next.byteLength === 0) break;
    found += next.byteLength;
  }
  return whole.subarray(0, found);
}

/** Bytes where the caller asked for them, also from a source that does not know of `into`. */
function inPlace(found: Uint8Array, into: Uint8Array): Uint8Array {
  if (found.buffer === into.buffer && found.byteOffset === into.byteOffset) return found;
  into.set(found);
  return into.subarray(0, found.byteLength);
}

/** A Buffer's `slice` shares memory where a Uint8Array's copies; only the latter is used here. */
function plain(bytes: Uint8Array): Uint8Array {
  if (bytes?.constructor === Uint8Array) return bytes;
  if (!ArrayBuffer.isView(bytes)) throw new Error("it gave something else than a Uint8Array");
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

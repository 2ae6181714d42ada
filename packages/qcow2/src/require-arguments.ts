import type { RandomAccess } from "@box/io";
import { Qcow2Error } from "./errors.ts";

/** Refuses a range that no disk has. */
export function requireRange(start: number, length: number): void {
  if (start >= 0 && length >= 0 && Number.isSafeInteger(start) && Number.isSafeInteger(length)) {
    return;
  }
  throw invalidArgument(
    `a range starts at a whole byte and has a whole length, not ${start} and ${length}`,
  );
}

/** Refuses what are no bytes, or fewer than are needed: a text, an `ArrayBuffer`, an array of larger numbers. */
export function requireBytes(bytes: unknown, what: string, atLeast = 0): void {
  const isBytes =
    ArrayBuffer.isView(bytes) && (bytes as Partial<Uint8Array>).BYTES_PER_ELEMENT === 1;
  if (!isBytes) throw invalidArgument(`${what} must be a Uint8Array`);
  if (bytes.byteLength < atLeast) {
    throw invalidArgument(`${what} must have at least ${atLeast} bytes, not ${bytes.byteLength}`);
  }
}

/** So many bytes of zeros; `QCOW2_INVALID_ARGUMENT` when they cannot be had at once. */
export function newBytes(length: number): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new Qcow2Error({
      code: "QCOW2_INVALID_ARGUMENT",
      message: `${length} bytes cannot be held in memory at once`,
      hint: "read less at a time",
      cause,
    });
  }
}

/** Refuses a value that is none of the documented ones, as callers without types may pass it. */
export function requireOneOf(what: string, value: unknown, known: readonly unknown[]): void {
  if (known.includes(value)) return;
  throw invalidArgument(`the ${what} must be ${known.join(" or ")}, not ${String(value)}`);
}

/** Refuses what has no options in it, such as `null`. */
export function requireOptions<Options>(options: Options): Options {
  if (typeof options === "object" && options !== null) return options;
  throw invalidArgument(`options are an object, not ${String(options)}`);
}

/** Refuses what is no file to read from. */
export function requireSource(source: RandomAccess): void {
  if (typeof source?.size === "function" && typeof source.read === "function") return;
  const isBytes = ArrayBuffer.isView(source) || (source as unknown) instanceof ArrayBuffer;
  throw invalidArgument(
    "an image is read from an object with the methods size() and read()",
    isBytes ? "use blobSource(new Blob([bytes]))" : "open a path with openImageFile or openFile",
  );
}

/** The refusal of an argument. */
export function invalidArgument(message: string, hint?: string): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_INVALID_ARGUMENT",
    message,
    ...(hint !== undefined && { hint }),
  });
}

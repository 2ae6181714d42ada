import { invalidArgument, requireBytes } from "../require-arguments.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** The text of UTF-8 bytes; `undefined` when they are not valid UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The UTF-8 bytes of a text; bytes are returned as they are. Half of a surrogate pair has none: `QCOW2_INVALID_ARGUMENT`. */
export function toNameBytes(name: Uint8Array | string): Uint8Array {
  if (typeof name !== "string") {
    requireBytes(name, "a name");
    return name;
  }
  if (/\p{Surrogate}/u.test(name)) {
    throw invalidArgument(`the text ${JSON.stringify(name)} is not well-formed and has no UTF-8`);
  }
  return encoder.encode(name);
}

/** Bytes as a text up to a NUL, as QEMU takes them; invalid bytes become U+FFFD. It may hold what a terminal obeys. */
export function toText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return lenient.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Bytes as a text that is safe to show: control characters and invalid bytes become U+FFFD. */
export function toDisplayText(bytes: Uint8Array): string {
  return lenient.decode(bytes).replace(/\p{C}/gu, "\uFFFD");
}

/** Whether QEMU takes a name for more than a path, such as `nbd:`, `json:` and `file:`. */
export function isProtocolLike(name: string): boolean {
  return /^[a-z][a-z0-9+.-]*:/i.test(name);
}

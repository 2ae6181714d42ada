import { OrasError } from "../errors.ts";

/** Limits of {@link parseJson}. */
export interface ParseJsonOptions {
  /** What is parsed, for messages: `manifest sha256:...`. */
  readonly what: string;
  /** The most bytes that are looked at. */
  readonly maxBytes: number;
  /** The deepest nesting of arrays and objects; 64 by default. */
  readonly maxDepth?: number;
}

/**
 * Parses JSON from outside: size and depth are checked before the parser runs.
 *
 * @throws {@link OrasError} `OCI_TOO_LARGE`, `OCI_TOO_DEEP`, `OCI_INVALID_JSON` (also for a `__proto__` key).
 */
export function parseJson(bytes: Uint8Array, options: ParseJsonOptions): unknown {
  const { what, maxBytes, maxDepth = 64 } = options;
  if (bytes.byteLength > maxBytes) {
    throw new OrasError({
      code: "OCI_TOO_LARGE",
      message: `cannot read ${what}: ${bytes.byteLength} bytes exceed the limit of ${maxBytes}`,
    });
  }
  if (nestingDepth(bytes) > maxDepth) {
    throw new OrasError({
      code: "OCI_TOO_DEEP",
      message: `cannot read ${what}: nested deeper than ${maxDepth} levels`,
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalidJson(what, "it is not JSON in UTF-8", cause);
  }
  if (hasProtoKey(value)) throw invalidJson(what, "it has a key named __proto__");
  return value;
}

function invalidJson(what: string, why: string, cause?: unknown): OrasError {
  return new OrasError({
    code: "OCI_INVALID_JSON",
    message: `cannot read ${what}: ${why}`,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Counts brackets outside of strings; exact for valid JSON, and never below the parser's depth for the rest. */
function nestingDepth(bytes: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  let isInString = false;
  for (let index = 0; index < bytes.byteLength; index++) {
    const byte = bytes[index];
    if (isInString) {
      if (byte === 0x5c) index++;
      else if (byte === 0x22) isInString = false;
    } else if (byte === 0x22) isInString = true;
    else if (byte === 0x7b || byte === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return deepest;
}

function hasProtoKey(root: unknown): boolean {
  const pending: unknown[] = [root];
  for (
    let value = pending.pop();
    value !== undefined || pending.length > 0;
    value = pending.pop()
  ) {
    if (typeof value !== "object" || value === null) continue;
    if (Object.hasOwn(value, "__proto__")) return true;
    for (const child of Object.values(value)) pending.push(child);
  }
  return false;
}

import type { ErrorKind } from "./kinds.ts";

/** What a {@link BoxError} is made from. */
export interface BoxErrorOptions<Code extends string = string> {
  /** The failure's stable name, such as `QCOW2_BAD_MAGIC`. */
  readonly code: Code;
  /** What a caller may do about it. */
  readonly kind: ErrorKind;
  /** One lower-case sentence for a person: what was tried, on what, expected and found; no full stop. */
  readonly message: string;
  /** Facts for programs: paths, offsets, sizes. Plain JSON values only. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** What a person can do next, as one sentence or command. */
  readonly hint?: string;
  /** Whether the same call may succeed later without any change. */
  readonly retryable?: boolean;
  /** The lower-level error, when there is one. */
  readonly cause?: unknown;
}

/** Every copy of this package marks its errors with this symbol, so that they know each other. */
const brand: unique symbol = Symbol.for("@box/errors/BoxError") as never;

/**
 * The base of every error that a box package throws on purpose.
 *
 * Branch on {@link BoxError.kind} or {@link BoxError.code}, never on the message. Packages bundle their own
 * copy of this class, so test with {@link isBoxError}, not with `instanceof`.
 */
export class BoxError<Code extends string = string> extends Error {
  /** The failure's stable name; a part of the public API. */
  readonly code: Code;
  /** What a caller may do about it. */
  readonly kind: ErrorKind;
  /** Facts for programs; plain JSON values. */
  readonly details: Readonly<Record<string, unknown>>;
  /** What a person can do next. */
  readonly hint: string | undefined;
  /** Whether the same call may succeed later without any change. */
  readonly retryable: boolean;

  constructor(options: BoxErrorOptions<Code>) {
    super(options.message, "cause" in options ? { cause: options.cause } : undefined);
    this.name = new.target.name;
    this.code = options.code;
    this.kind = options.kind;
    this.details = options.details ?? {};
    this.hint = options.hint;
    this.retryable = options.retryable ?? false;
    Object.defineProperty(this, brand, { value: true });
  }
}

/** Tells whether a value is a {@link BoxError}, made by whichever copy of this package. Never throws. */
export function isBoxError(value: unknown): value is BoxError {
  return readSafely(
    () => value instanceof Error && (value as { [brand]?: unknown })[brand] === true,
  );
}

/** The kind of an error; anything that is not a {@link BoxError} is `internal`, an abort is `aborted`. Never throws. */
export function kindOf(error: unknown): ErrorKind {
  if (isBoxError(error)) return error.kind;
  const isAbort = readSafely(() => error instanceof Error && error.name === "AbortError");
  return isAbort ? "aborted" : "internal";
}

/** Anything can be thrown, and some values throw when they are looked at, such as a proxy that was revoked. */
function readSafely(look: () => boolean): boolean {
  try {
    return look();
  } catch {
    return false;
  }
}

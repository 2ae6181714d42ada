/** A place in a trace, with the ids of the W3C Trace Context. */
export interface TraceContext {
  /** 32 lower-case hex digits, the same for everything that belongs together. */
  readonly traceId: string;
  /** 16 lower-case hex digits: the span that new spans hang under. */
  readonly spanId: string;
}

/** Where new ids come from; tests give their own. */
export interface IdSource {
  /** A new trace id: 32 lower-case hex digits, not all zero. */
  traceId(): string;
  /** A new span id: 16 lower-case hex digits, not all zero. */
  spanId(): string;
}

/** Ids from the platform's secure random source. */
export const randomIds: IdSource = {
  traceId: () => randomHex(16),
  spanId: () => randomHex(8),
};

function randomHex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

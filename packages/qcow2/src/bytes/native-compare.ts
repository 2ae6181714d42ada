/** Orders two arrays by their bytes; 0 when they are the same. */
export type CompareBytes = (a: Uint8Array, b: Uint8Array) => number;

/** Node's, several times as fast as a loop in JavaScript. A browser has none: `null`. */
export const nativeCompare: CompareBytes | null =
  (globalThis as { readonly Buffer?: { readonly compare?: CompareBytes } }).Buffer?.compare ?? null;

import { isParent } from "./entry-path.ts";

/** What the last component of an entry's path means. */
export type EntryMeaning =
  /** A file of the image. */
  | { readonly type: "file" }
  /** Hides a name of the lower layers. */
  | { readonly type: "whiteout"; readonly name: Uint8Array }
  /** Hides everything that the lower layers have in this directory. */
  | { readonly type: "opaque" }
  /** Bookkeeping of AUFS, no file of the image. */
  | { readonly type: "skipped" }
  /** A whiteout of nothing, of `.` or of `..`. */
  | { readonly type: "invalid" };

const encoder = new TextEncoder();
const prefix = encoder.encode(".wh.");
const metaPrefix = encoder.encode(".wh..wh.");
const opaque = encoder.encode(".wh..wh..opq");
const dot = 0x2e;

/**
 * Tells files of the image from whiteouts. Only a name that starts with exactly `.wh.` is one, whatever the entry's type.
 *
 * @see OCI image specification, "Image Layer Filesystem Changeset", "Whiteouts"
 */
export function classifyEntry(components: readonly Uint8Array[]): EntryMeaning {
  const last = components.at(-1);
  if (last !== undefined && isSame(last, opaque)) {
    return components.slice(0, -1).some(isMeta) ? { type: "skipped" } : { type: "opaque" };
  }
  if (components.some(isMeta)) return { type: "skipped" };
  if (last === undefined || !startsWith(last, prefix)) return { type: "file" };
  const name = last.subarray(prefix.byteLength);
  const isNoName =
    name.byteLength === 0 || isParent(name) || (name.byteLength === 1 && name[0] === dot);
  return isNoName ? { type: "invalid" } : { type: "whiteout", name };
}

function isMeta(component: Uint8Array): boolean {
  return startsWith(component, metaPrefix);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && startsWith(a, b);
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  if (bytes.byteLength < start.byteLength) return false;
  for (let i = 0; i < start.byteLength; i++) if (bytes[i] !== start[i]) return false;
  return true;
}

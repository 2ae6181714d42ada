import { protocolError } from "../protocol/frames.ts";

/** What a folder has. */
export interface FolderEntry {
  readonly name: Uint8Array;
  /** What it is, where its file system says so. */
  readonly kind: "file" | "directory" | "symlink" | "other" | "unknown";
}

const kinds: Readonly<Record<number, FolderEntry["kind"]>> = {
  0: "unknown",
  4: "directory",
  8: "file",
  10: "symlink",
};
const headBytes = 19;

/**
 * Parses what `getdents64` gives: `u64 number, u64 offset, u16 length, u8 kind`, and the name with a NUL.
 *
 * @throws GuestError `GUEST_PROTOCOL`.
 */
export function parseEntries(bytes: Uint8Array): FolderEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: FolderEntry[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const length = at + headBytes > bytes.byteLength ? 0 : view.getUint16(at + 16, true);
    const end = bytes.indexOf(0, at + headBytes);
    const isWhole = length > headBytes && end >= 0 && end < at + length;
    if (!isWhole || at + length > bytes.byteLength) throw damaged();
    const name = bytes.subarray(at + headBytes, end);
    if (name.byteLength === 0 || name.includes(0x2f)) throw damaged();
    const isItself = name.every((byte) => byte === 0x2e) && name.byteLength <= 2;
    if (!isItself) entries.push({ name, kind: kinds[view.getUint8(at + 18)] ?? "other" });
    at += length;
  }
  return entries;
}

function damaged(): Error {
  return protocolError("a folder's list is damaged");
}

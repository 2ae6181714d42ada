import type { NodeAttributes } from "@box/ext4";

/** The bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The text of bytes. */
export function text(value: Uint8Array): string {
  return new TextDecoder().decode(value);
}

const shared = { uid: 0, gid: 0, mtime: { seconds: 1, nanoseconds: 2 }, xattrs: [] };

export const directory: NodeAttributes = { ...shared, type: "directory", mode: 0o755 };
export const file: NodeAttributes = { ...shared, type: "file", mode: 0o644 };

export function symlink(target: string): NodeAttributes {
  return { ...shared, type: "symlink", mode: 0o777, symlinkTarget: bytes(target) };
}

import { Ext4Error } from "../errors.ts";

const attributeVersion = 2;
const diskVersion = 1;
const attributeEntryBytes = 8;
const shortEntryBytes = 4;
const namedUser = 2;
const namedGroup = 8;
const undefinedId = 0xffffffff;
const knownTags: ReadonlySet<number> = new Set([1, namedUser, 4, namedGroup, 16, 32]);

/**
 * Turns a POSIX ACL from the form that getxattr and tar carry into ext4's own.
 *
 * The first: le32 version 2, then entries {tag u16, permissions u16, id u32}. On disk: le32 version 1, then entries
 * {tag u16, permissions u16} with an id u32 for named users (2) and named groups (8) only.
 *
 * @throws {@link Ext4Error} `EXT4_BAD_ACL`.
 */
export function encodeAcl(value: Uint8Array): Uint8Array {
  const view = viewOf(value);
  const entries = (value.byteLength - 4) / attributeEntryBytes;
  if (!Number.isInteger(entries) || entries < 0 || view.getUint32(0, true) !== attributeVersion) {
    throw badAcl(`must have version ${attributeVersion} and whole entries`);
  }
  const disk = new Uint8Array(4 + entries * attributeEntryBytes);
  const out = viewOf(disk);
  out.setUint32(0, diskVersion, true);
  let at = 4;
  for (let entry = 4; entry < value.byteLength; entry += attributeEntryBytes) {
    const tag = view.getUint16(entry, true);
    if (!knownTags.has(tag)) throw badAcl(`has an entry with the unknown tag ${tag}`);
    out.setUint16(at, tag, true);
    out.setUint16(at + 2, view.getUint16(entry + 2, true), true);
    at += shortEntryBytes;
    if (hasId(tag)) {
      out.setUint32(at, view.getUint32(entry + 4, true), true);
      at += 4;
    }
  }
  return disk.subarray(0, at);
}

/** The opposite of {@link encodeAcl}; nothing for bytes that are no ACL. */
export function decodeAcl(disk: Uint8Array): Uint8Array | undefined {
  const view = viewOf(disk);
  if (disk.byteLength < 4 || view.getUint32(0, true) !== diskVersion) return undefined;
  const value = new Uint8Array(
    4 + Math.ceil(disk.byteLength / shortEntryBytes) * attributeEntryBytes,
  );
  const out = viewOf(value);
  out.setUint32(0, attributeVersion, true);
  let at = 4;
  for (let entry = 4; entry < disk.byteLength; ) {
    if (entry + shortEntryBytes > disk.byteLength) return undefined;
    const tag = view.getUint16(entry, true);
    const size = hasId(tag) ? attributeEntryBytes : shortEntryBytes;
    if (!knownTags.has(tag) || entry + size > disk.byteLength) return undefined;
    out.setUint16(at, tag, true);
    out.setUint16(at + 2, view.getUint16(entry + 2, true), true);
    out.setUint32(at + 4, hasId(tag) ? view.getUint32(entry + 4, true) : undefinedId, true);
    at += attributeEntryBytes;
    entry += size;
  }
  return value.subarray(0, at);
}

function hasId(tag: number): boolean {
  return tag === namedUser || tag === namedGroup;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function badAcl(what: string): Ext4Error {
  return new Ext4Error({ code: "EXT4_BAD_ACL", message: `a POSIX ACL ${what}` });
}

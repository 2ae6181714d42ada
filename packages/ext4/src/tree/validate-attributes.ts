import { Ext4Error, type Ext4ErrorCode } from "../errors.ts";
import { encodeAcl } from "../xattr/acl.ts";
import { isAclIndex, splitXattrName } from "../xattr/xattr-name.ts";
import { type DataRun, type NodeAttributes, type NodeXattr, typeBits } from "./attributes.ts";

const maxNameBytes = 255;
const maxSymlinkBytes = 4095;
const maxXattrBytes = 65_536;
/** Logical blocks are 32-bit numbers, of which the last one is reserved. */
const maxFileBytes = (2 ** 32 - 1) * 4096;

/** Checks one component of a path. Throws `EXT4_BAD_NAME`, `EXT4_NAME_TOO_LONG`. */
export function validateName(name: Uint8Array): void {
  if (name.byteLength > maxNameBytes) {
    fail("EXT4_NAME_TOO_LONG", `has ${name.byteLength} bytes, more than ${maxNameBytes}`, name);
  }
  if (name.byteLength === 0) fail("EXT4_BAD_NAME", "is empty", name);
  if (name[0] === 0x2e && (name.byteLength === 1 || (name.byteLength === 2 && name[1] === 0x2e))) {
    fail("EXT4_BAD_NAME", "is not a name but a direction", name);
  }
  for (const byte of name) {
    if (byte === 0 || byte === 0x2f) fail("EXT4_BAD_NAME", "holds a NUL or a slash", name);
  }
}

/** Checks a node's attributes. Throws {@link Ext4Error}. */
export function validateAttributes(attributes: NodeAttributes): void {
  const { type, mode, uid, gid, mtime, symlinkTarget } = attributes;
  if (typeBits[type] === undefined) failAttribute("type", type);
  if (!isWhole(mode, 0o7777)) failAttribute("mode", mode);
  if (!isWhole(uid, 0xffffffff)) failAttribute("uid", uid);
  if (!isWhole(gid, 0xffffffff)) failAttribute("gid", gid);
  if (!Number.isSafeInteger(mtime.seconds)) failAttribute("mtime.seconds", mtime.seconds);
  if (!isWhole(mtime.nanoseconds, 999_999_999)) {
    failAttribute("mtime.nanoseconds", mtime.nanoseconds);
  }
  validateXattrs(attributes.xattrs);
  if (type === "symlink") validateSymlink(symlinkTarget);
  if (type === "char" || type === "block") {
    if (!isWhole(attributes.deviceMajor, 0xfff)) {
      failAttribute("deviceMajor", attributes.deviceMajor);
    }
    if (!isWhole(attributes.deviceMinor, 0xfffff)) {
      failAttribute("deviceMinor", attributes.deviceMinor);
    }
  }
  if (type === "file") validateFileData(attributes.sizeBytes ?? 0, attributes.dataRuns);
}

/** Checks a file's size and its ranges of data: in order, apart and inside the file. */
export function validateFileData(sizeBytes: number, dataRuns?: readonly DataRun[]): void {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) failAttribute("sizeBytes", sizeBytes);
  if (sizeBytes > maxFileBytes) {
    throw new Ext4Error({
      code: "EXT4_FILE_TOO_LARGE",
      message: `a file of ${sizeBytes} bytes is larger than ext4's limit of ${maxFileBytes}`,
      details: { sizeBytes },
    });
  }
  let end = 0;
  for (const { offset, length } of dataRuns ?? []) {
    if (!isWhole(offset, sizeBytes) || offset < end) failAttribute("dataRuns.offset", offset);
    if (!isWhole(length, sizeBytes - offset) || length === 0) {
      failAttribute("dataRuns.length", length);
    }
    end = offset + length;
  }
}

function validateSymlink(target: Uint8Array | undefined): void {
  const length = target?.byteLength ?? 0;
  if (length === 0 || length > maxSymlinkBytes || target?.includes(0)) {
    throw new Ext4Error({
      code: "EXT4_BAD_SYMLINK",
      message: `a symlink's target must have 1 to ${maxSymlinkBytes} bytes and no NUL, this has ${length}`,
      details: { lengthBytes: length },
    });
  }
}

/** What names of attributes can fill of an inode and of its attribute block, and what each takes besides its padded bytes. */
const maxXattrEntryBytes = 92 + 4060;
const xattrEntryBytes = 16;

function validateXattrs(xattrs: readonly NodeXattr[]): void {
  let entryBytes = 0;
  for (const { name, value } of xattrs) {
    const parts = splitXattrName(name);
    entryBytes += xattrEntryBytes + (((parts?.suffix.byteLength ?? 0) + 3) & ~3);
    if (entryBytes > maxXattrEntryBytes) {
      fail("EXT4_XATTR_TOO_LARGE", `is one of ${xattrs.length}, which do not fit one block`, name);
    }
    if (parts === undefined) {
      fail("EXT4_XATTR_UNSUPPORTED", "is no extended attribute that ext4 can hold", name);
    }
    if (isAclIndex(parts.index)) encodeAcl(value);
    if (value.byteLength > maxXattrBytes) {
      fail(
        "EXT4_XATTR_TOO_LARGE",
        `has ${value.byteLength} bytes, more than ${maxXattrBytes}`,
        name,
      );
    }
  }
}

function isWhole(value: number | undefined, max: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

function failAttribute(field: string, value: unknown): never {
  throw new Ext4Error({
    code: "EXT4_BAD_ATTRIBUTE",
    message: `a node's ${field} cannot be ${String(value)}`,
    details: { field },
  });
}

function fail(code: Ext4ErrorCode, what: string, name: Uint8Array): never {
  const shown = new TextDecoder().decode(name.subarray(0, maxNameBytes));
  throw new Ext4Error({
    code,
    message: `the name ${JSON.stringify(shown)} ${what}`,
    details: { name: shown },
  });
}

import type { TarEntry, TarEntryType, TarXattr } from "../entry.ts";
import { TarError } from "../errors.ts";
import { typeFlags } from "../header/layout.ts";
import type { RawHeader } from "../header/parse-header.ts";
import type { TarLimits } from "../limits.ts";
import { parseDecimal, parseTime } from "../pax/pax-number.ts";
import { fromLatin1, type PaxRecords } from "../pax/pax-records.ts";
import { encodeTextAcl, isMinimalAcl } from "../pax/text-acl.ts";
import type { Extensions } from "./extension-headers.ts";

const types: ReadonlyMap<number, TarEntryType> = new Map([
  [typeFlags.oldFile, "file"],
  [typeFlags.file, "file"],
  [typeFlags.contiguousFile, "file"],
  [typeFlags.gnuSparse, "file"],
  [typeFlags.hardlink, "hardlink"],
  [typeFlags.symlink, "symlink"],
  [typeFlags.char, "char"],
  [typeFlags.block, "block"],
  [typeFlags.directory, "directory"],
  [typeFlags.gnuDirectory, "directory"],
  [typeFlags.fifo, "fifo"],
]);

const aclKeys: readonly (readonly [key: string, name: string])[] = [
  ["SCHILY.acl.access", "system.posix_acl_access"],
  ["SCHILY.acl.default", "system.posix_acl_default"],
];

/**
 * Joins a header with its extensions. Later words win: header, PAX, GNU long names.
 *
 * @param sizeBytes - The real size when the entry is a file.
 * @param dropped - Told about ACLs that cannot be said in numbers.
 */
export function buildEntry(
  header: RawHeader,
  extensions: Extensions,
  sizeBytes: number,
  limits: TarLimits,
  offset: number,
  dropped: (key: string) => void,
): TarEntry {
  const { pax, longName, longLink } = extensions;
  const path = longName ?? pax.get("GNU.sparse.name") ?? pax.get("path") ?? header.path;
  const type = typeOf(header.typeFlag, path, offset);
  const isLink = type === "symlink" || type === "hardlink";
  const isDevice = type === "char" || type === "block";
  const linkPath = isLink ? (longLink ?? pax.get("linkpath") ?? header.linkPath) : noBytes;
  const time = pax.get("mtime");
  for (const [what, bytes] of [
    ["path", path],
    ["link target", linkPath],
  ] as const) {
    if (bytes.byteLength > limits.maxPathBytes) {
      const message = `a ${what} has ${bytes.byteLength} bytes, more than ${limits.maxPathBytes}`;
      throw new TarError("TAR_OVER_LIMIT", message, offset);
    }
  }
  return {
    path,
    type,
    mode: header.mode,
    uid: idOf(pax.get("uid"), header.uid, offset),
    gid: idOf(pax.get("gid"), header.gid, offset),
    sizeBytes: type === "file" ? sizeBytes : 0,
    mtime: time === undefined ? { seconds: header.mtime, nanoseconds: 0 } : parseTime(time, offset),
    linkPath,
    deviceMajor: isDevice ? deviceNumber(header.deviceMajor, offset) : 0,
    deviceMinor: isDevice ? deviceNumber(header.deviceMinor, offset) : 0,
    xattrs: xattrsOf(pax, limits, offset, dropped),
  };
}

const noBytes = new Uint8Array(0);

function typeOf(flag: number, path: Uint8Array, offset: number): TarEntryType {
  const type = types.get(flag);
  if (type === undefined) {
    const shown = JSON.stringify(String.fromCharCode(flag));
    throw new TarError("TAR_UNSUPPORTED_TYPE", `an entry has the unknown type ${shown}`, offset);
  }
  // Before there was a type for them, directories were files whose names end in a slash.
  return flag === typeFlags.oldFile && path.at(-1) === 0x2f ? "directory" : type;
}

function idOf(record: Uint8Array | undefined, inHeader: number, offset: number): number {
  const id = record === undefined ? inHeader : parseDecimal(record, offset);
  if (id < 0 || id > 0xffffffff) {
    throw new TarError("TAR_BAD_HEADER", `an owner or group is ${id}, no 32-bit number`, offset);
  }
  return id;
}

function deviceNumber(value: number, offset: number): number {
  if (value < 0 || value > 0xffffffff) {
    throw new TarError("TAR_BAD_HEADER", `a device number is ${value}, no 32-bit number`, offset);
  }
  return value;
}

function xattrsOf(
  pax: PaxRecords,
  limits: TarLimits,
  offset: number,
  dropped: (key: string) => void,
): TarXattr[] {
  const xattrs: TarXattr[] = [];
  let total = 0;
  const stored = pax.xattrs;
  if (stored.size > limits.maxXattrs) {
    const message = `an entry has ${stored.size} attributes, more than ${limits.maxXattrs}`;
    throw new TarError("TAR_OVER_LIMIT", message, offset);
  }
  for (const [name, value] of stored) {
    xattrs.push({ name: fromLatin1(name), value });
    total += name.length + value.byteLength;
  }
  for (const [key, name] of aclKeys) {
    const text = pax.get(key);
    if (text === undefined || stored.has(name)) continue;
    const value = encodeTextAcl(text);
    if (value === undefined) dropped(key);
    else if (!isMinimalAcl(value) || name === "system.posix_acl_default") {
      xattrs.push({ name: fromLatin1(name), value });
      total += name.length + value.byteLength;
    }
  }
  if (total > limits.maxXattrBytes) {
    const message = `an entry's attributes take ${total} bytes, more than ${limits.maxXattrBytes}`;
    throw new TarError("TAR_OVER_LIMIT", message, offset);
  }
  return xattrs;
}

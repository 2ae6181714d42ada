import type { TarEntry } from "./entry.ts";
import { TarError } from "./errors.ts";
import { blockBytes, type Field, fields, typeFlags } from "./header/layout.ts";
import { maxOctal } from "./header/number.ts";
import { serializeHeader, type UstarHeader } from "./header/serialize-header.ts";
import { formatTime } from "./pax/pax-number.ts";
import { latin1, xattrPrefix } from "./pax/pax-records.ts";

const noBytes = new Uint8Array(0);
const encoder = new TextEncoder();
const paxHeaderPath = encoder.encode("././@PaxHeader");

const flags: Readonly<Record<TarEntry["type"], number>> = {
  file: typeFlags.file,
  hardlink: typeFlags.hardlink,
  symlink: typeFlags.symlink,
  char: typeFlags.char,
  block: typeFlags.block,
  directory: typeFlags.directory,
  fifo: typeFlags.fifo,
};

/**
 * The blocks that stand before an entry's content: a ustar header, and a PAX header before it when something does not
 * fit. Equal entries give equal bytes.
 *
 * @throws {@link TarError} `TAR_BAD_ENTRY`: an empty path, a NUL in a name, a number out of range.
 */
export function tarHeader(entry: TarEntry): Uint8Array[] {
  validateEntry(entry);
  const records: Uint8Array[] = [];
  const split = splitPath(entry.path);
  if (split === undefined) records.push(record("path", entry.path));
  const fitsLink = entry.linkPath.byteLength <= fields.linkName[1];
  if (!fitsLink) records.push(record("linkpath", entry.linkPath));
  const number = (key: string, field: Field, value: number): number => {
    if (value <= maxOctal(field)) return value;
    records.push(record(key, encoder.encode(String(value))));
    return 0;
  };
  const isFile = entry.type === "file";
  const header: UstarHeader = {
    path: split?.name ?? entry.path.subarray(0, fields.name[1]),
    prefix: split?.prefix ?? noBytes,
    mode: entry.mode,
    uid: number("uid", fields.uid, entry.uid),
    gid: number("gid", fields.gid, entry.gid),
    size: number("size", fields.size, isFile ? entry.sizeBytes : 0),
    mtime: timeField(entry, records),
    typeFlag: flags[entry.type],
    linkPath: fitsLink ? entry.linkPath : noBytes,
    deviceMajor: entry.deviceMajor,
    deviceMinor: entry.deviceMinor,
  };
  for (const { name, value } of entry.xattrs) {
    records.push(record(`${xattrPrefix}${latin1(name)}`, value));
  }
  return records.length === 0
    ? [serializeHeader(header)]
    : [...paxBlocks(records), serializeHeader(header)];
}

/** The zeros that fill the last block after `sizeBytes` of content. */
export function tarPadding(sizeBytes: number): Uint8Array {
  return new Uint8Array((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
}

/** The two blocks of zeros that end an archive. */
export function tarEnd(): Uint8Array {
  return new Uint8Array(2 * blockBytes);
}

/**
 * Makes a whole archive in memory.
 *
 * @throws {@link TarError} `TAR_BAD_ENTRY`, also when content is not as long as its entry says.
 */
export function buildTar(
  entries: readonly { readonly entry: TarEntry; readonly content?: Uint8Array }[],
): Uint8Array {
  const parts = entries.flatMap(({ entry, content = noBytes }) => {
    const expected = entry.type === "file" ? entry.sizeBytes : 0;
    if (content.byteLength !== expected) {
      throw badEntry(`says ${expected} bytes and comes with ${content.byteLength}`);
    }
    return [...tarHeader(entry), content, tarPadding(expected)];
  });
  return joined([...parts, tarEnd()]);
}

function paxBlocks(records: readonly Uint8Array[]): Uint8Array[] {
  const body = joined(records);
  const header = serializeHeader({
    path: paxHeaderPath,
    prefix: noBytes,
    mode: 0,
    uid: 0,
    gid: 0,
    size: body.byteLength,
    mtime: 0,
    typeFlag: typeFlags.paxLocal,
    linkPath: noBytes,
    deviceMajor: 0,
    deviceMinor: 0,
  });
  return [header, body, tarPadding(body.byteLength)];
}

function timeField({ mtime }: TarEntry, records: Uint8Array[]): number {
  const { seconds, nanoseconds } = mtime;
  const max = maxOctal(fields.mtime);
  if (seconds < 0 || seconds > max || nanoseconds !== 0) {
    records.push(record("mtime", encoder.encode(formatTime(mtime))));
  }
  return Math.max(0, Math.min(seconds, max));
}

/** One record: `LENGTH KEY=VALUE\n`, where the length counts its own digits. The key has one character per byte. */
function record(key: string, value: Uint8Array): Uint8Array {
  const rest = key.length + value.byteLength + 3;
  let length = rest + String(rest).length;
  length = rest + String(length).length;
  const bytes = new Uint8Array(length);
  const head = `${length} ${key}=`;
  for (let i = 0; i < head.length; i++) bytes[i] = head.charCodeAt(i);
  bytes.set(value, head.length);
  bytes[length - 1] = 0x0a;
  return bytes;
}

/** Splits a path at a slash so that both halves fit the header; nothing when there is no such slash. */
function splitPath(
  path: Uint8Array,
): { readonly name: Uint8Array; readonly prefix: Uint8Array } | undefined {
  const [, maxName] = fields.name;
  const [, maxPrefix] = fields.prefix;
  if (path.byteLength <= maxName) return { name: path, prefix: noBytes };
  const slash = path.indexOf(0x2f, path.byteLength - maxName - 1);
  const fits = slash > 0 && slash <= maxPrefix && slash < path.byteLength - 1;
  return fits ? { prefix: path.subarray(0, slash), name: path.subarray(slash + 1) } : undefined;
}

function validateEntry(entry: TarEntry): void {
  const { path, linkPath, mode, uid, gid, sizeBytes, mtime } = entry;
  if (path.byteLength === 0 || path.includes(0)) throw badEntry("has an empty path or a NUL in it");
  if (linkPath.includes(0)) throw badEntry("has a NUL in its link's target");
  const isLink = entry.type === "symlink" || entry.type === "hardlink";
  if (isLink !== linkPath.byteLength > 0)
    throw badEntry("has a target and is no link, or the reverse");
  const limits: readonly (readonly [string, number, number])[] = [
    ["mode", mode, 0o7777],
    ["owner", uid, 0xffffffff],
    ["group", gid, 0xffffffff],
    ["size", sizeBytes, Number.MAX_SAFE_INTEGER],
    ["time", Math.abs(mtime.seconds), Number.MAX_SAFE_INTEGER - 1],
    ["time", mtime.nanoseconds, 999_999_999],
    ["device number", entry.deviceMajor, maxOctal(fields.deviceMajor)],
    ["device number", entry.deviceMinor, maxOctal(fields.deviceMinor)],
  ];
  for (const [what, value, max] of limits) {
    if (!Number.isSafeInteger(value) || value < 0 || value > max) {
      throw badEntry(`has a ${what} of ${value}`);
    }
  }
  for (const { name } of entry.xattrs) {
    if (name.byteLength === 0 || name.includes(0) || name.includes(0x3d)) {
      throw badEntry("has an attribute whose name is empty or holds a NUL or an equals sign");
    }
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((total, part) => total + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

function badEntry(what: string): TarError {
  return new TarError("TAR_BAD_ENTRY", `an entry ${what}`);
}

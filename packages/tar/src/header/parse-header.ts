import { TarError } from "../errors.ts";
import { sumHeader } from "./checksum.ts";
import { type Field, fields } from "./layout.ts";
import { parseNumber, parseOctal } from "./number.ts";

/** What one header block says, before extensions change it. */
export interface RawHeader {
  /** Path, the prefix included. */
  readonly path: Uint8Array;
  /** Permission bits. */
  readonly mode: number;
  /** Owner. */
  readonly uid: number;
  /** Group. */
  readonly gid: number;
  /** Bytes of content in the archive. */
  readonly size: number;
  /** Seconds. */
  readonly mtime: number;
  /** Which kind, see `typeFlags`. */
  readonly typeFlag: number;
  /** Link target. */
  readonly linkPath: Uint8Array;
  /** Device number. */
  readonly deviceMajor: number;
  /** Device number. */
  readonly deviceMinor: number;
}

/**
 * Parses a header block. The values are copies.
 *
 * @param offset - Where the block lies in the archive, for errors.
 * @throws {@link TarError} `TAR_BAD_CHECKSUM`, `TAR_BAD_HEADER`, `TAR_OVER_LIMIT`.
 */
export function parseHeader(block: Uint8Array, offset: number): RawHeader {
  const number = (field: Field): number => parseNumber(block, field, offset);
  const { unsigned, signed } = sumHeader(block);
  const checksum = parseOctal(block, fields.checksum);
  if (checksum !== unsigned && checksum !== signed) {
    throw new TarError(
      "TAR_BAD_CHECKSUM",
      `a header's checksum is ${checksum ?? "no number"}, expected ${unsigned}`,
      offset,
    );
  }
  const dialect = dialectOf(block);
  const name = textField(block, fields.name);
  const hasDevices = dialect !== "v7";
  return {
    path: withPrefix(name, prefixOf(block, dialect)),
    mode: number(fields.mode) & 0o7777,
    uid: number(fields.uid),
    gid: number(fields.gid),
    size: number(fields.size),
    mtime: number(fields.mtime),
    typeFlag: block[fields.type[0]] as number,
    linkPath: textField(block, fields.linkName),
    deviceMajor: hasDevices ? number(fields.deviceMajor) : 0,
    deviceMinor: hasDevices ? number(fields.deviceMinor) : 0,
  };
}

type Dialect = "v7" | "ustar" | "star" | "gnu";

function dialectOf(block: Uint8Array): Dialect {
  const [magicAt] = fields.magic;
  if (hasText(block, magicAt, "ustar\0")) {
    return hasText(block, fields.starTrailer[0], "tar\0") ? "star" : "ustar";
  }
  return hasText(block, magicAt, "ustar  \0") ? "gnu" : "v7";
}

function hasText(block: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (block[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

function prefixOf(block: Uint8Array, dialect: Dialect): Uint8Array {
  if (dialect === "ustar") return textField(block, fields.prefix);
  if (dialect === "star") return textField(block, fields.starPrefix);
  return new Uint8Array(0);
}

function withPrefix(name: Uint8Array, prefix: Uint8Array): Uint8Array {
  if (prefix.byteLength === 0) return name;
  const path = new Uint8Array(prefix.byteLength + 1 + name.byteLength);
  path.set(prefix);
  path[prefix.byteLength] = 0x2f;
  path.set(name, prefix.byteLength + 1);
  return path;
}

function textField(block: Uint8Array, [start, length]: Field): Uint8Array {
  const nul = block.indexOf(0, start);
  return block.slice(start, nul < 0 ? start + length : Math.min(nul, start + length));
}

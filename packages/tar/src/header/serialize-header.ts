import { sumHeader } from "./checksum.ts";
import { blockBytes, type Field, fields } from "./layout.ts";
import { writeOctal } from "./number.ts";
import type { RawHeader } from "./parse-header.ts";

const encoder = new TextEncoder();

/** A header whose path is already split and whose numbers fit their fields. */
export interface UstarHeader extends RawHeader {
  /** What goes into the prefix field. */
  readonly prefix: Uint8Array;
}

/** Makes a ustar header block. */
export function serializeHeader(header: UstarHeader): Uint8Array {
  const block = new Uint8Array(blockBytes);
  block.set(header.path, fields.name[0]);
  block.set(header.prefix, fields.prefix[0]);
  block.set(header.linkPath, fields.linkName[0]);
  block.set(encoder.encode("ustar\u000000"), fields.magic[0]);
  block[fields.type[0]] = header.typeFlag;
  const numbers: readonly (readonly [Field, number])[] = [
    [fields.mode, header.mode],
    [fields.uid, header.uid],
    [fields.gid, header.gid],
    [fields.size, header.size],
    [fields.mtime, header.mtime],
    [fields.deviceMajor, header.deviceMajor],
    [fields.deviceMinor, header.deviceMinor],
  ];
  for (const [field, value] of numbers) writeOctal(block, field, value);
  const checksum = sumHeader(block).unsigned.toString(8).padStart(6, "0");
  block.set(encoder.encode(`${checksum}\0 `), fields.checksum[0]);
  return block;
}

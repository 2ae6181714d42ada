import { blockBytes, fields } from "./layout.ts";

const [checksumAt, checksumLength] = fields.checksum;

/** The sums of a header's bytes, its checksum field counted as blanks: unsigned, and signed as old writers had it. */
export function sumHeader(block: Uint8Array): {
  readonly unsigned: number;
  readonly signed: number;
} {
  let unsigned = checksumLength * 0x20;
  let high = 0;
  for (let i = 0; i < blockBytes; i++) {
    if (i === checksumAt) i += checksumLength;
    const byte = block[i] as number;
    unsigned += byte;
    high += byte >>> 7;
  }
  return { unsigned, signed: unsigned - high * 256 };
}

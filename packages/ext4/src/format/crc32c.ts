const polynomial = 0x82f63b78;
const tables: Uint32Array = makeTables();

/**
 * CRC32C (Castagnoli) as ext4 uses it: the running value goes in and comes out as it is, without inversion.
 *
 * @param crc - The value so far; all ones to begin with.
 */
export function crc32c(
  crc: number,
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.byteLength,
): number {
  const t = tables;
  let c = crc;
  let i = start;
  // Slicing by eight: one table per byte of the next eight.
  for (; i + 8 <= end; i += 8) {
    const low =
      c ^
      ((bytes[i] as number) |
        ((bytes[i + 1] as number) << 8) |
        ((bytes[i + 2] as number) << 16) |
        ((bytes[i + 3] as number) << 24));
    c =
      (t[1792 + (low & 255)] as number) ^
      (t[1536 + ((low >>> 8) & 255)] as number) ^
      (t[1280 + ((low >>> 16) & 255)] as number) ^
      (t[1024 + (low >>> 24)] as number) ^
      (t[768 + (bytes[i + 4] as number)] as number) ^
      (t[512 + (bytes[i + 5] as number)] as number) ^
      (t[256 + (bytes[i + 6] as number)] as number) ^
      (t[bytes[i + 7] as number] as number);
  }
  for (; i < end; i++) c = (t[(c ^ (bytes[i] as number)) & 255] as number) ^ (c >>> 8);
  return c >>> 0;
}

/** {@link crc32c} over a 32-bit number, little-endian. */
export function crc32cOfWord(crc: number, word: number): number {
  let c = crc ^ word;
  for (let i = 0; i < 4; i++) c = (tables[c & 255] as number) ^ (c >>> 8);
  return c >>> 0;
}

function makeTables(): Uint32Array {
  const made = new Uint32Array(8 * 256);
  for (let i = 0; i < 256; i++) {
    let c = i;
    for (let bit = 0; bit < 8; bit++) c = (c & 1) === 1 ? (c >>> 1) ^ polynomial : c >>> 1;
    made[i] = c;
  }
  for (let i = 256; i < made.length; i++) {
    const before = made[i - 256] as number;
    made[i] = (made[before & 255] as number) ^ (before >>> 8);
  }
  return made;
}

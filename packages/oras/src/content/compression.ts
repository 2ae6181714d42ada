/** How content is compressed, by its first bytes. */
export type Compression = "gzip" | "zstd" | "none" | "unsupported";

/** So many first bytes decide. */
export const magicBytes = 6;

/** Decides by magic, whatever a media type says. What has no known magic is taken for content that is not compressed. */
export function detectCompression(start: Uint8Array): Compression {
  if (startsWith(start, [0x1f, 0x8b])) return "gzip";
  if (startsWith(start, [0x28, 0xb5, 0x2f, 0xfd])) return "zstd";
  const isSkippable =
    ((start[0] ?? 0) & 0xf0) === 0x50 && startsWith(start.subarray(1), [0x2a, 0x4d, 0x18]);
  if (isSkippable) return "zstd";
  const isXz = startsWith(start, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);
  const isBzip2 = startsWith(start, [0x42, 0x5a, 0x68]);
  return isXz || isBzip2 ? "unsupported" : "none";
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return bytes.byteLength >= magic.length && magic.every((byte, index) => bytes[index] === byte);
}

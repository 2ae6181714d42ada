/** How a layer's blob is compressed, by its first bytes. */
export type Compression = "gzip" | "zstd" | "none" | "unsupported";

/** So many first bytes decide. */
export const magicBytes = 6;

/** Decides by magic, whatever the media type says. What has no known magic is taken for a plain archive. */
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

/** The compression that a media type claims. */
export function claimedCompression(mediaType: string): Compression {
  if (mediaType.endsWith("+gzip") || mediaType.endsWith(".gzip")) return "gzip";
  return mediaType.endsWith("+zstd") || mediaType.endsWith(".zstd") ? "zstd" : "none";
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return bytes.byteLength >= magic.length && magic.every((byte, index) => bytes[index] === byte);
}

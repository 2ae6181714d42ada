import type { Compression } from "@box/oras";

/** The compression that a media type claims. */
export function claimedCompression(mediaType: string): Compression {
  if (mediaType.endsWith("+gzip") || mediaType.endsWith(".gzip")) return "gzip";
  return mediaType.endsWith("+zstd") || mediaType.endsWith(".zstd") ? "zstd" : "none";
}

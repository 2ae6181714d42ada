import { createHash } from "node:crypto";
import type { RandomAccess } from "@box/io";

const readBytes = 1024 * 1024;

/** Digest of a file's first `sizeBytes` bytes, `sha256:...`; of fewer where the file ends before. */
export async function digestOf(
  file: RandomAccess,
  sizeBytes: number,
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(readBytes);
  for (let offset = 0; offset < sizeBytes; ) {
    signal?.throwIfAborted();
    const bytes = await file.read(offset, Math.min(readBytes, sizeBytes - offset), buffer);
    if (bytes.byteLength === 0) break;
    hash.update(bytes);
    offset += bytes.byteLength;
  }
  return `sha256:${hash.digest("hex")}`;
}

import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";

const chunkBytes = 1024 * 1024;

/** The SHA-256 of the beginning of a file, in hexadecimal digits. Its place in the file stays as it is. */
export async function digestOfState(
  state: FileHandle,
  lengthBytes: number,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(chunkBytes);
  for (let at = 0; at < lengthBytes; ) {
    signal.throwIfAborted();
    // By places: QEMU reads on from where it is by the same open file.
    const { bytesRead } = await state.read(buffer, 0, chunkBytes, at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest("hex");
}

import { readFile } from "node:fs/promises";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { GuestError } from "../errors.ts";
import { kernelInvalid } from "./kernel-error.ts";

const mostBytes = 64 * 1024 * 1024;

/**
 * Reads a kernel module, uncompressed.
 *
 * @throws GuestError `GUEST_KERNEL_UNSUPPORTED` for `.ko.xz`, `GUEST_KERNEL_INVALID`, `GUEST_KERNEL_MISSING`.
 */
export async function readModule(path: string): Promise<Uint8Array> {
  if (path.endsWith(".xz")) {
    throw new GuestError({
      code: "GUEST_KERNEL_UNSUPPORTED",
      message: `the kernel module ${path} is packed with xz, which cannot be unpacked here`,
      details: { path },
      hint: "unpack the module with xz -dk beside it, or name another kernel",
    });
  }
  const packed = await readOrFail(path);
  const options = { maxOutputLength: mostBytes };
  try {
    if (path.endsWith(".gz")) return gunzipSync(packed, options);
    if (path.endsWith(".zst")) return zstdDecompressSync(packed, options);
  } catch (error) {
    throw kernelInvalid(path, error instanceof Error ? error.message : String(error));
  }
  return packed;
}

async function readOrFail(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new GuestError({
      code: "GUEST_KERNEL_MISSING",
      message: `there is no kernel module ${path}`,
      details: { path },
      hint: "install the kernel's package again",
      cause: error,
    });
  }
}

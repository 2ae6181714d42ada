import { type FileHandle, open } from "node:fs/promises";
import type { MachineDisk } from "../../machine-spec.ts";

/** The beginning of a qcow2 header, big-endian: magic at 0, virtual size in bytes at 24. */
const headerBytes = 32;
const magic = 0x514649fb;
const sizeOffset = 24;

/** The size that a guest sees of a disk; undefined when it cannot be told, which is for QEMU to complain of. */
export async function diskBytes({ path, format }: MachineDisk): Promise<number | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    if (format === "raw") return (await file.stat()).size;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(headerBytes), 0, headerBytes, 0);
    if (bytesRead < headerBytes || buffer.readUInt32BE(0) !== magic) return undefined;
    return Number(buffer.readBigUInt64BE(sizeOffset));
  } catch {
    return undefined;
  } finally {
    await file?.close();
  }
}

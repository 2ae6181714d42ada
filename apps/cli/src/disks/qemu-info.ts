import { stat } from "node:fs/promises";
import { MemoryFile, type RandomAccess } from "@box/io";
import { type ImageInfo, openImage, toQemuInfo } from "@box/qcow2";
import type { DiskInfoOutput } from "./schemas.ts";

/** Where a disk file is. */
export interface DiskFile {
  /** As the user wrote it. */
  readonly file: string;
  /** Absolute. */
  readonly path: string;
  /** Stops reading. */
  readonly signal: AbortSignal;
}

/** What `qemu-img info --output=json` of QEMU 7.2 prints of a qcow2 file. Opens no other file. */
export async function qcow2QemuInfo(
  source: RandomAccess,
  info: ImageInfo,
  { file, path, signal }: DiskFile,
): Promise<Readonly<Record<string, unknown>>> {
  const { backing } = info;
  const options = {
    filename: file,
    actualSizeBytes: await actualSizeOf(path),
    ...(backing && { fullBackingFilename: fullBackingName(file, backing.displayName) }),
  };
  if (info.encryption !== "none") return toQemuInfo({ info, snapshots: [], bitmaps: [] }, options);
  // Only tables are read: what stands for the backing and the data file is never asked for a byte.
  const nothing = async () => ({ source: new MemoryFile(), format: "raw" as const });
  await using image = await openImage(source, { backing: nothing, dataFile: nothing, signal });
  return toQemuInfo(await image.describe(), options);
}

/** What `qemu-img info --output=json -f raw` of QEMU 7.2 prints. */
export async function rawQemuInfo(
  { file, fileSizeBytes }: DiskInfoOutput,
  path: string,
): Promise<Readonly<Record<string, unknown>>> {
  return {
    "virtual-size": fileSizeBytes - (fileSizeBytes % 512),
    filename: file,
    format: "raw",
    "actual-size": await actualSizeOf(path),
    "dirty-flag": false,
  };
}

async function actualSizeOf(path: string): Promise<number> {
  return (await stat(path)).blocks * 512;
}

/** As QEMU puts them together: a name that is relative belongs to the image's folder. */
function fullBackingName(file: string, name: string): string {
  const hasProtocol = /^[^/]*:/.test(name);
  if (hasProtocol || name.startsWith("/")) return name;
  return file.slice(0, file.lastIndexOf("/") + 1) + name;
}

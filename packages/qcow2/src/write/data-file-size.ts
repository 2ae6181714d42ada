import type { RandomAccess } from "@box/io";
import { Qcow2Error } from "../errors.ts";
import type { ImageInfo } from "../inspect/image-info.ts";
import type { Qcow2Layer } from "../read/qcow2-layer.ts";
import type { HostFile } from "./host-file.ts";

/**
 * Refuses a raw data file whose length cannot be set: it would not be the disk by itself any more.
 *
 * @throws {@link Qcow2Error} `QCOW2_UNSUPPORTED_FEATURE`.
 */
export function requireSizableData({ dataFile }: ImageInfo, source: RandomAccess): void {
  if (!dataFile?.isRaw || source.truncate) return;
  throw new Qcow2Error({
    code: "QCOW2_UNSUPPORTED_FEATURE",
    message:
      "the storage of the raw data file cannot set its length, so that the disk keeps its size",
    structure: "file",
  });
}

/** Whether a raw data file holds more than its disk, as a crash in the middle of a shrink leaves it. */
export function isDataLonger({ dataFile }: ImageInfo, { parts, sizeBytes }: Qcow2Layer): boolean {
  return dataFile?.isRaw === true && parts.dataReader.sizeBytes > sizeBytes;
}

/**
 * Makes a data file as long as a disk that becomes larger. What it holds behind the old end belongs to nobody and is cut
 * off first, so that the new part is zeros. The caller flushes before the image says that it is larger.
 */
export async function growData(data: HostFile, from: number, to: number): Promise<void> {
  if (data.freshFrom > from) await data.truncate(from);
  await data.truncate(to);
}

/** Makes a data file as short as a disk that has become smaller. The image names nothing behind the end any more. */
export async function cutData(data: HostFile, sizeBytes: number): Promise<void> {
  if (data.freshFrom > sizeBytes) await data.truncate(sizeBytes);
  await data.flush();
}

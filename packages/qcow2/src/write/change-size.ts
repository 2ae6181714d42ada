import type { LiveHeader } from "../inspect/live-header.ts";
import { cutData, growData } from "./data-file-size.ts";
import { type PreallocateParts, preallocateRange } from "./preallocate.ts";
import { growDisk, l1EntriesFor, type ResizeOptions } from "./resize.ts";
import { dropPast, type ShrinkParts, shrinkDisk } from "./shrink.ts";

/** What changing the size of a disk needs. */
export interface ChangeSizeParts
  extends ShrinkParts,
    Omit<PreallocateParts, "isRawData" | "onProgress"> {
  /** The header. */
  readonly header: LiveHeader;
  /** Makes a range of the disk read as zeros. */
  readonly zero: (start: number, length: number) => Promise<void>;
  /** Writes the new size to the header, and bitmaps of that size. */
  readonly setSize: () => Promise<void>;
  /** Does work also when the caller has given up. */
  readonly regardless: (work: () => Promise<void>) => Promise<void>;
}

/** Changes the size of a disk, and the length of its data file with it. See `growDisk` and `shrinkDisk`. */
export async function changeSize(
  parts: ChangeSizeParts,
  sizeBytes: number,
  { preallocation = "off", onProgress }: ResizeOptions,
): Promise<void> {
  const { layer, header, store, data, commit, setSize } = parts;
  await commit();
  if (sizeBytes < layer.sizeBytes) {
    await shrinkDisk(parts, l1EntriesFor(header.info, sizeBytes), setSize);
    if (data !== store.host) await cutData(data, sizeBytes);
    return;
  }
  // A crash may have ended a shrink before it was done.
  await dropPast(parts);
  await commit();
  try {
    await grow(parts, sizeBytes, { preallocation, ...(onProgress && { onProgress }) });
  } catch (error) {
    // Once the new size may be in the file, nobody may take away what hides the backing file. Before that, what was made
    // would stay behind the end until the disk grows the next time.
    const isDecided = store.host.hasFailed || Number(header.info.virtualSizeBytes) === sizeBytes;
    if (!isDecided) await parts.regardless(() => dropGrown(parts)).catch(() => {});
    throw error;
  }
}

async function grow(
  parts: ChangeSizeParts,
  sizeBytes: number,
  { preallocation = "off", onProgress }: ResizeOptions,
): Promise<void> {
  const { layer, header, store, data, commit } = parts;
  if (data !== store.host) await growData(data, layer.sizeBytes, sizeBytes);
  // A raw data file is read without the tables, which must not say less than it.
  const isRawData = header.info.dataFile?.isRaw === true;
  const amount = preallocation === "off" && isRawData ? "metadata" : preallocation;
  const zero = async (start: number, length: number): Promise<void> => {
    await parts.zero(start, length);
    await commit();
  };
  const preallocate = async (start: number, end: number): Promise<void> => {
    const tell =
      onProgress && ((doneBytes: number) => onProgress({ doneBytes, totalBytes: sizeBytes }));
    const placing = { ...parts, isRawData, onProgress: tell };
    if (amount !== "off") await preallocateRange(placing, start, end, amount);
    await commit();
  };
  const setSize = (): Promise<void> => parts.regardless(parts.setSize);
  await growDisk({ store, layer, header, zero, preallocate, setSize }, sizeBytes);
}

/** Takes away what growing has left behind the end of the disk. */
async function dropGrown(parts: ChangeSizeParts): Promise<void> {
  const { store, data, layer, commit } = parts;
  await dropPast(parts);
  await commit();
  if (data === store.host) await store.trim();
  else await cutData(data, layer.sizeBytes);
}

import { MemoryFile, type RandomAccess } from "@box/io";
import { type OpenImageOptions, openImage, Qcow2Error, type Qcow2Image } from "@box/qcow2";

/** What can be read of a disk. */
interface ReadableDisk {
  /** The disk itself, or one of its snapshots. */
  readonly name: string;
  /** Its bytes; zeros where it cannot be read. */
  readonly bytes: Uint8Array;
  /** For each block of 4 KiB, 1 when it can be read. */
  readonly isReadable: Uint8Array;
}

const maxDiskBytes = 8 * 2 ** 20;
const blockBytes = 4096;
const sectorBytes = 512;
/** More than these are not read as a whole. */
const manySnapshots = 32;

/** Whatever an image names as its backing file, and as its data file. */
const backing = new MemoryFile(new Uint8Array(maxDiskBytes).fill(0xee));
const data = new MemoryFile(new Uint8Array(maxDiskBytes).fill(0xdd));
const options: OpenImageOptions = {
  backing: async () => ({ source: backing, format: "raw" }),
  dataFile: async () => ({ source: data, format: "raw" }),
};

/**
 * What can be read of an image: the first bytes of its disk and of every snapshot. Empty when it cannot be opened.
 *
 * @param diskBytes - How much of each, 8 MiB at most.
 */
export async function readableContent(
  source: RandomAccess,
  diskBytes: number = maxDiskBytes,
): Promise<ReadableDisk[]> {
  const image = await orUndefined(() => openImage(source, options));
  if (image === undefined) return [];
  await using disk = image;
  const disks = [await readDisk("disk", disk, diskBytes)];
  const snapshots = (await orUndefined(() => disk.snapshots())) ?? [];
  // Several may have the same id: the first one is opened then. Of very many the first sector stands for the rest.
  const ids = [...new Set(snapshots.map(({ id }) => id))];
  const length = ids.length > manySnapshots ? sectorBytes : diskBytes;
  for (const id of ids) {
    const snapshot = await orUndefined(() => disk.openSnapshot(id));
    if (snapshot !== undefined) disks.push(await readDisk(`snapshot ${id}`, snapshot, length));
  }
  return disks;
}

/** The blocks that could be read before and now cannot, or read otherwise. */
export function lostContent(
  before: readonly ReadableDisk[],
  after: readonly ReadableDisk[],
): string[] {
  const lost: string[] = [];
  const disks = new Map(after.map((disk) => [disk.name, disk]));
  for (const { name, bytes, isReadable } of before) {
    const now = disks.get(name);
    for (const [block, could] of isReadable.entries()) {
      const range = [block * blockBytes, (block + 1) * blockBytes] as const;
      const isSame =
        now?.isReadable[block] === 1 &&
        Buffer.compare(bytes.subarray(...range), now.bytes.subarray(...range)) === 0;
      if (could === 1 && !isSame) lost.push(`${name} at byte ${range[0]}`);
    }
  }
  return lost;
}

async function readDisk(name: string, image: Qcow2Image, diskBytes: number): Promise<ReadableDisk> {
  const size = Math.min(image.sizeBytes, diskBytes);
  const disk = {
    name,
    bytes: new Uint8Array(size),
    isReadable: new Uint8Array(Math.ceil(size / blockBytes)),
  };
  await readPart(image, disk, 0, size);
  return disk;
}

/** Reads a part; when it cannot be read, its halves. */
async function readPart(
  image: Qcow2Image,
  disk: ReadableDisk,
  at: number,
  length: number,
): Promise<void> {
  if (length === 0) return;
  const bytes = disk.bytes.subarray(at, at + length);
  const found = await orUndefined(() => image.read(at, length, bytes));
  if (found !== undefined) {
    disk.isReadable.fill(1, at / blockBytes, Math.ceil((at + length) / blockBytes));
    return;
  }
  bytes.fill(0);
  if (length > blockBytes) {
    const half = Math.ceil(length / 2 / blockBytes) * blockBytes;
    await readPart(image, disk, at, half);
    await readPart(image, disk, at + half, length - half);
  }
}

async function orUndefined<Value>(run: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof Qcow2Error) return undefined;
    throw error;
  }
}

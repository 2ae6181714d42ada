import { bitmapFlags } from "../bitmaps/parse.ts";
import { readBitmapDirectory } from "../bitmaps/read-bitmap.ts";
import type { MemoryBudget } from "../bytes/budget.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import { toDisplayText } from "../bytes/text.ts";
import type { ImageInfo, TableInfo } from "../inspect/image-info.ts";
import { toImageInfo } from "../inspect/inspect-image.ts";
import type { HeaderArea } from "../inspect/read-header.ts";
import { describeLuks, type LuksDescription } from "../luks/describe.ts";
import type { SnapshotEntry } from "../snapshots/parse.ts";
import { readSnapshotTable } from "../snapshots/read-table.ts";

/** An internal snapshot. */
export interface Snapshot {
  /** Its id for people, most often a decimal number. */
  readonly id: string;
  /** Its id as it stands in the image. */
  readonly idBytes: Uint8Array;
  /** Its name for people: control characters and invalid bytes replaced. */
  readonly name: string;
  /** Its name as it stands in the image. */
  readonly nameBytes: Uint8Array;
  /** When it was taken: seconds since 1970. */
  readonly dateSeconds: number;
  /** Nanoseconds on top. */
  readonly dateNanoseconds: number;
  /** How long the machine had run, in nanoseconds. */
  readonly vmClockNanoseconds: bigint;
  /** Bytes of saved machine state. */
  readonly vmStateBytes: bigint;
  /** Size of the virtual disk at that time, in bytes. */
  readonly diskSizeBytes: bigint;
  /** Instruction count, when the snapshot has one. */
  readonly icount?: bigint;
  /** Its L1 table. */
  readonly l1Table: TableInfo;
  /** Where its entry is in the image, in bytes. */
  readonly entryOffset: number;
}

/** A persistent dirty bitmap. */
export interface Bitmap {
  /** Its name for people: control characters and invalid bytes replaced. */
  readonly name: string;
  /** Its name as it stands in the image. */
  readonly nameBytes: Uint8Array;
  /** Bytes that one bit stands for. */
  readonly granularityBytes: number;
  /** Whether a writer left it out of date. */
  readonly isInUse: boolean;
  /** Whether it records writes as soon as the image is opened for writing. */
  readonly isAuto: boolean;
}

/** Everything that an image says about itself. */
export interface ImageDescription {
  /** What the header says. */
  readonly info: ImageInfo;
  /** The internal snapshots, in file order. */
  readonly snapshots: readonly Snapshot[];
  /** The persistent bitmaps, in file order. */
  readonly bitmaps: readonly Bitmap[];
  /** How it is encrypted, when that is with LUKS. */
  readonly luks?: LuksDescription;
}

/** Reads the snapshot table, the bitmap directory and the LUKS header. */
export async function readDescription(
  reader: SourceReader,
  area: HeaderArea,
  budget: MemoryBudget,
): Promise<ImageDescription> {
  const snapshots = await readSnapshotTable(reader, area.header, budget);
  const info = toImageInfo(area, reader.sizeBytes);
  const { encryption, encryptionHeader } = info;
  return {
    info,
    snapshots: snapshots.entries.map(toSnapshot),
    bitmaps: await readBitmaps(reader, area, budget),
    ...(encryption === "luks" && { luks: await describeLuks(reader, encryptionHeader) }),
  };
}

/** A snapshot table entry as it is shown. */
export function toSnapshot(entry: SnapshotEntry): Snapshot {
  const { extra: _, l1OffsetLow: __, id, name, l1Offset, l1Size, ...rest } = entry;
  return {
    ...rest,
    id: toDisplayText(id),
    idBytes: id,
    name: toDisplayText(name),
    nameBytes: name,
    l1Table: { offset: l1Offset, entries: l1Size },
  };
}

async function readBitmaps(
  reader: SourceReader,
  area: HeaderArea,
  budget: MemoryBudget,
): Promise<Bitmap[]> {
  return (await readBitmapDirectory(reader, area, budget)).map((entry) => ({
    name: toDisplayText(entry.name),
    nameBytes: entry.name,
    granularityBytes: 2 ** entry.granularityBits,
    isInUse: (entry.flags & bitmapFlags.inUse) !== 0,
    isAuto: (entry.flags & bitmapFlags.auto) !== 0,
  }));
}

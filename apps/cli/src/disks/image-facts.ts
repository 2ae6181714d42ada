import type { Bitmap, Snapshot } from "@box/qcow2";
import * as z from "zod";

/** An internal snapshot, as commands print it. */
export interface SnapshotFacts {
  /** Its id. */
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** When it was taken, in UTC. */
  readonly takenAt: string;
  /** Size of the virtual disk then; a text where it is too large for a number. */
  readonly virtualSizeBytes: bigint | number | string;
  /** Bytes of saved machine state. */
  readonly vmStateBytes: bigint | number | string;
}

const size = z.union([z.int(), z.string()]);

/** The schema of {@link SnapshotFacts}. */
export const snapshotFacts: z.ZodType<SnapshotFacts> = z.strictObject({
  id: z.string(),
  name: z.string(),
  takenAt: z.string(),
  virtualSizeBytes: size,
  vmStateBytes: size,
});

/** A persistent dirty bitmap, as commands print it. */
export interface BitmapFacts {
  /** Its name. */
  readonly name: string;
  /** Bytes that one bit stands for. */
  readonly granularityBytes: number;
  /** Whether a writer left it out of date. */
  readonly isInUse: boolean;
  /** Whether it records writes as soon as the image is opened for writing. */
  readonly isAuto: boolean;
}

/** The schema of {@link BitmapFacts}. */
export const bitmapFacts: z.ZodType<BitmapFacts> = z.strictObject({
  name: z.string(),
  granularityBytes: z.int(),
  isInUse: z.boolean(),
  isAuto: z.boolean(),
});

/** A snapshot of `@box/qcow2` in the form that commands print. */
export function toSnapshotFacts(snapshot: Snapshot): SnapshotFacts {
  const { id, name, dateSeconds, diskSizeBytes, vmStateBytes } = snapshot;
  const takenAt = new Date(dateSeconds * 1000).toISOString();
  return { id, name, takenAt, virtualSizeBytes: diskSizeBytes, vmStateBytes };
}

/** A bitmap of `@box/qcow2` in the form that commands print. */
export function toBitmapFacts(bitmap: Bitmap): BitmapFacts {
  const { name, granularityBytes, isInUse, isAuto } = bitmap;
  return { name, granularityBytes, isInUse, isAuto };
}

/** What a bitmap does, in a word or two. */
export function describeBitmapState({
  isInUse,
  isAuto,
}: Pick<BitmapFacts, "isInUse" | "isAuto">): string {
  return isInUse ? "out of date" : isAuto ? "recording" : "disabled";
}

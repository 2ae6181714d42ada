import { resolve } from "node:path";
import { openFile } from "@box/io/node";
import { describeImage } from "@box/qcow2";
import type { CommandContext } from "../../command/define-command.ts";
import { aboutFile } from "../../disks/about-file.ts";
import { type SnapshotFacts, toSnapshotFacts } from "../../disks/image-facts.ts";
import { formatSize, formatTable } from "../../output/table.ts";
import type { SnapshotListInput } from "./schemas.ts";

/** Reads the snapshot table. */
export async function run(
  { file }: SnapshotListInput,
  { cwd, signal }: CommandContext,
): Promise<readonly SnapshotFacts[]> {
  return aboutFile(file, async () => {
    await using source = await openFile(resolve(cwd, file));
    return (await describeImage(source, { signal })).snapshots.map(toSnapshotFacts);
  });
}

/** A table. */
export function text(snapshots: readonly SnapshotFacts[]): string {
  const rows = snapshots.map(({ id, name, takenAt, virtualSizeBytes, vmStateBytes }) => [
    id,
    name,
    takenAt,
    formatSize(BigInt(virtualSizeBytes)),
    formatSize(BigInt(vmStateBytes)),
  ]);
  return formatTable(["ID", "NAME", "TAKEN", "DISK SIZE", "MACHINE STATE"], rows);
}

/** The ids. */
export function identifiers(snapshots: readonly SnapshotFacts[]): readonly string[] {
  return snapshots.map(({ id }) => id);
}

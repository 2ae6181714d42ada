import { findByName, Qcow2Error, type Qcow2Image, type Snapshot } from "@box/qcow2";
import type { CommandContext } from "../../command/define-command.ts";
import { aboutFile } from "../../disks/about-file.ts";
import { toSnapshotFacts } from "../../disks/image-facts.ts";
import { openDisk } from "../../disks/open-disk.ts";
import { formatFields, formatSize } from "../../output/table.ts";
import type { SnapshotChangeInput, SnapshotChangeOutput } from "./schemas.ts";

/** Opens the image for writing, changes its snapshots, and brings that to stable storage. */
export async function changeSnapshots(
  { file, allow }: SnapshotChangeInput,
  context: CommandContext,
  done: SnapshotChangeOutput["done"],
  change: (image: Qcow2Image) => Promise<Snapshot>,
): Promise<SnapshotChangeOutput> {
  await using disk = await openDisk(
    { file, allow, mode: "rw", command: "box disk snapshot" },
    context,
  );
  const { image } = disk;
  if (image === undefined) throw new Error("a disk without a format is qcow2");
  return await aboutFile(file, async () => {
    const snapshot = await change(image);
    await image.flush();
    return { file, done, snapshot: toSnapshotFacts(snapshot) };
  });
}

/** The snapshot of an image that is about to change, by id, or by name when no id matches. */
export async function findSnapshot(image: Qcow2Image, idOrName: string): Promise<Snapshot> {
  const all = await image.snapshots();
  const found = all.find(({ id }) => id === idOrName) ?? findByName(all, idOrName);
  if (found !== undefined) return found;
  throw new Qcow2Error({
    code: "QCOW2_SNAPSHOT_NOT_FOUND",
    message: `the image has no snapshot ${JSON.stringify(idOrName)}`,
    details: { snapshot: idOrName },
    hint: "see which it has with: box disk snapshot list FILE",
  });
}

/** One line each. */
export function text({ file, done, snapshot }: SnapshotChangeOutput): string {
  const { id, name, takenAt, virtualSizeBytes } = snapshot;
  return formatFields([
    ["file", file],
    [done, `${JSON.stringify(name)}, id ${id}`],
    ["from", takenAt],
    ["disk size", formatSize(BigInt(virtualSizeBytes))],
  ]);
}

/** The snapshot's id. */
export function identifiers({ snapshot }: SnapshotChangeOutput): readonly string[] {
  return [snapshot.id];
}

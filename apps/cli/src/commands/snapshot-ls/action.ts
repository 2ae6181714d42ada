import type { BoxSnapshot } from "@box/runtime";
import { openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { formatSize, formatTable } from "../../output/table.ts";
import type { SnapshotLsInput } from "./schemas.ts";

/** Reads the snapshots from the disk. */
export async function run(
  { name }: SnapshotLsInput,
  context: CommandContext,
): Promise<readonly BoxSnapshot[]> {
  await using runtime = await openRuntime(context);
  return await runtime.boxes.listSnapshots(name, { signal: context.signal });
}

/** A table, the oldest first. */
export function text(snapshots: readonly BoxSnapshot[]): string {
  return formatTable(
    ["NAME", "CREATED", "DISK SIZE"],
    snapshots.map(({ name, createdAt, virtualSizeBytes }) => [
      name,
      createdAt,
      formatSize(virtualSizeBytes),
    ]),
  );
}

/** The names. */
export function identifiers(snapshots: readonly BoxSnapshot[]): readonly string[] {
  return snapshots.map(({ name }) => name);
}

import type { RandomAccess } from "@box/io";
import { inspectImage } from "@box/qcow2";
import type { CommandContext } from "../command/define-command.ts";
import { showWarning } from "./show-progress.ts";

/** Says, before an image's backing file changes, that what its snapshots read changes with it. */
export async function warnOfSnapshots(
  file: string,
  source: RandomAccess,
  task: string,
  context: CommandContext,
): Promise<void> {
  const { snapshots, backing } = await inspectImage(source);
  const count = snapshots.entries;
  if (count === 0 || backing === undefined) return;
  const what = count === 1 ? "a snapshot, which reads" : `${count} snapshots, which read`;
  const message = `${file} has ${what} from the backing file too: only the disk keeps its content`;
  await showWarning(context, task, "CLI_SNAPSHOTS", message);
}

import type { CommandSpec } from "../command/define-command.ts";
import { diskBitmapCommands } from "./disk-bitmap-commands.ts";
import { diskChangeCommands } from "./disk-change-commands.ts";
import { diskReadCommands } from "./disk-read-commands.ts";
import { diskSnapshotCommands } from "./disk-snapshot-commands.ts";
import { diskWriteCommands } from "./disk-write-commands.ts";

/** Commands about disk files. They need no home. */
export const diskCommands: readonly CommandSpec[] = [
  ...diskReadCommands,
  ...diskWriteCommands,
  ...diskChangeCommands,
  ...diskSnapshotCommands,
  ...diskBitmapCommands,
];

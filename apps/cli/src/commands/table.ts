import type { CommandSpec } from "../command/define-command.ts";
import { boxChangeCommands } from "./box-change-commands.ts";
import { boxCommands } from "./box-commands.ts";
import { diskCommands } from "./disk-commands.ts";
import { imageCommands } from "./image-commands.ts";
import { machineCommands } from "./machine-commands.ts";
import { machineStreamCommands } from "./machine-stream-commands.ts";
import { metaCommands } from "./meta-commands.ts";
import { registryCommands } from "./registry-commands.ts";
import { rootfsCommands } from "./rootfs-commands.ts";
import { storageCommands } from "./storage-commands.ts";

/** Every command of box, in the order of the help. */
export const commands: readonly CommandSpec[] = [
  ...boxCommands,
  ...machineCommands,
  ...machineStreamCommands,
  ...boxChangeCommands,
  ...storageCommands,
  ...imageCommands,
  ...rootfsCommands,
  ...registryCommands,
  ...diskCommands,
  ...metaCommands,
];

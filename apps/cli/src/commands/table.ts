import type { CommandSpec } from "../command/define-command.ts";
import { metaCommands } from "./meta-commands.ts";

/** Every command of box, in the order of the help. */
export const commands: readonly CommandSpec[] = [...metaCommands];

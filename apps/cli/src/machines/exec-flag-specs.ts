import type { FlagSpec } from "../command/define-command.ts";

/** Flags of commands that run something in a box. */
export const execFlags: readonly FlagSpec[] = [
  { name: "interactive", short: "i", summary: "the command reads what is piped or typed in" },
  { name: "tty", short: "t", summary: "give the command this terminal" },
  {
    name: "user",
    short: "u",
    value: "USER[:GROUP]",
    summary: "as whom, by names of the box or by numbers (default: as the image says)",
  },
  {
    name: "workdir",
    short: "w",
    value: "DIR",
    summary: "where, an absolute path of the box (default: as the image says)",
  },
  {
    name: "env",
    short: "e",
    value: "NAME[=VALUE]",
    summary: "a variable for the command; without a value it has that of this shell (repeatable)",
    many: true,
  },
];

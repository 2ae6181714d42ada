import { type CommandSpec, defineCommand, type FlagSpec } from "../command/define-command.ts";

/** The format of the file; never guessed from its content. */
const inputFormatFlag: FlagSpec = {
  name: "input-format",
  short: "f",
  value: "FORMAT",
  summary: "format of FILE (default: qcow2); a file of another format is an error",
  choices: ["qcow2", "raw"],
};

/** Commands about disk files. They need no home. */
export const diskCommands: readonly CommandSpec[] = [
  defineCommand({
    path: ["disk", "info"],
    summary: "show what the header of a disk file says; opens no other file",
    args: [{ name: "file", summary: "the disk file", complete: "files" }],
    flags: [inputFormatFlag],
    formats: ["qemu-json"],
    examples: [
      {
        command: "box disk info disk.qcow2 --format qemu-json",
        summary: "What qemu-img info --output=json prints",
      },
      { command: "box disk info disk.qcow2", summary: "For people" },
      {
        command: "box disk info disk.img -f raw --format json",
        summary: "A raw disk, for programs",
      },
    ],
    failures: ["not-found", "corrupt", "io", "unsupported"],
    mutates: false,
    schemas: () => import("./disk-info/schemas.ts"),
    action: () => import("./disk-info/action.ts"),
  }),
];

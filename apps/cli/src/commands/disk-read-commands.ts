import type { ErrorKind } from "@box/errors";
import { type CommandSpec, defineCommand } from "../command/define-command.ts";
import { allowFlag, imageFlags, inputFormatFlag, passphraseFileFlag } from "./disk-flags.ts";

const file = { name: "file", summary: "the disk file", complete: "files" } as const;

/** What may go wrong with a disk and what it stands on. */
const chainFailures: readonly ErrorKind[] = [
  ...(["not-found", "corrupt", "io", "unsupported"] as const),
  ...(["denied", "encrypted", "backing-missing"] as const),
];

/** Commands that look at disk files. */
export const diskReadCommands: readonly CommandSpec[] = [
  defineCommand({
    path: ["disk", "info"],
    summary: "show what a disk file says about itself; opens no other file",
    args: [file],
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
  defineCommand({
    path: ["disk", "explain"],
    summary: "say in plain words what a disk file is, what it stands on and whether it is sound",
    args: [file],
    flags: [inputFormatFlag, allowFlag],
    examples: [
      { command: "box disk explain disk.qcow2", summary: "What is this file?" },
      {
        command: "box disk explain disk.qcow2 --allow /images --format json",
        summary: "For programs, with a base in another folder",
      },
    ],
    failures: ["not-found", "corrupt", "io", "unsupported"],
    mutates: false,
    schemas: () => import("./disk-explain/schemas.ts"),
    action: () => import("./disk-explain/action.ts"),
  }),
  defineCommand({
    path: ["disk", "check"],
    summary: "look at every table of an image and count what is wrong",
    description:
      "Leaked clusters waste space and nothing else: they are a warning. An error means that data is or may be\nlost. Reads no data and no other file, and changes nothing without --repair. Exit codes with\n--qemu-exit-codes: 0 clean, 1 the check could not be done, 2 corrupt, 3 leaks only, 63 not an image.",
    args: [file],
    flags: [
      inputFormatFlag,
      {
        name: "repair",
        value: "WHAT",
        summary: "repair leaks, or all that can be repaired without losing data",
        choices: ["leaks", "all"],
      },
      { name: "qemu-exit-codes", summary: "end with the exit codes of qemu-img check" },
    ],
    formats: ["qemu-json"],
    examples: [
      { command: "box disk check disk.qcow2", summary: "Is it sound?" },
      { command: "box disk check --repair leaks disk.qcow2", summary: "Give leaked space back" },
      {
        command: "box disk check disk.qcow2 --format qemu-json --qemu-exit-codes",
        summary: "In place of qemu-img check --output=json",
      },
    ],
    failures: ["not-found", "in-use", "corrupt", "io", "unsupported"],
    mutates: true,
    schemas: () => import("./disk-check/schemas.ts"),
    action: () => import("./disk-check/action.ts"),
  }),
  defineCommand({
    path: ["disk", "map"],
    summary: "list where each part of a virtual disk has its bytes, over its whole chain",
    args: [file],
    flags: [inputFormatFlag, allowFlag, passphraseFileFlag],
    formats: ["qemu-json"],
    examples: [
      { command: "box disk map disk.qcow2", summary: "A table" },
      {
        command: "box disk map disk.qcow2 --allow /images --format qemu-json",
        summary: "What qemu-img map --output=json prints, with a base in another folder",
      },
    ],
    failures: chainFailures,
    mutates: false,
    schemas: () => import("./disk-map/schemas.ts"),
    action: () => import("./disk-map/action.ts"),
  }),
  defineCommand({
    path: ["disk", "compare"],
    summary: "compare what two disks read as, each over its whole chain",
    description:
      "A disk that is longer is identical when its rest reads as zeros. With --strict the sizes count too, and which\nranges are stored.",
    args: [
      { name: "a", summary: "one disk", complete: "files" },
      { name: "b", summary: "the other one", complete: "files" },
    ],
    flags: [
      { ...inputFormatFlag, summary: "format of A (default: qcow2)" },
      {
        name: "second-format",
        short: "F",
        value: "FORMAT",
        summary: "format of B (default: qcow2)",
        choices: ["qcow2", "raw"],
      },
      { name: "strict", short: "s", summary: "sizes and allocation must be the same too" },
      allowFlag,
      passphraseFileFlag,
    ],
    examples: [
      {
        command: "box disk compare -F raw disk.qcow2 disk.img",
        summary: "An image and a raw disk",
      },
      { command: "box disk compare --strict a.qcow2 b.qcow2", summary: "Sizes count too" },
    ],
    failures: chainFailures,
    exitCodes: { 0: "the disks are identical", 1: "the disks differ, or box itself failed" },
    mutates: false,
    schemas: () => import("./disk-compare/schemas.ts"),
    action: () => import("./disk-compare/action.ts"),
  }),
  defineCommand({
    path: ["disk", "measure"],
    summary: "say how large a file has to be for a copy of a disk, or for a new disk",
    args: [{ ...file, summary: "the disk to copy; or give --size", optional: true }],
    flags: [
      { name: "size", value: "SIZE", summary: "measure a new, empty disk of this size instead" },
      inputFormatFlag,
      {
        name: "output-format",
        short: "O",
        value: "FORMAT",
        summary: "format of the file that is to be made (default: raw, as with qemu-img)",
        choices: ["qcow2", "raw"],
      },
      ...imageFlags.filter(({ name }) => name !== "lazy-refcounts"),
      allowFlag,
      passphraseFileFlag,
    ],
    formats: ["qemu-json"],
    examples: [
      { command: "box disk measure -O qcow2 disk.qcow2", summary: "For a copy of an image" },
      {
        command: "box disk measure -O qcow2 --size 10GiB --format qemu-json",
        summary: "What qemu-img measure --output=json prints of a new disk",
      },
    ],
    failures: chainFailures,
    mutates: false,
    schemas: () => import("./disk-measure/schemas.ts"),
    action: () => import("./disk-measure/action.ts"),
  }),
];

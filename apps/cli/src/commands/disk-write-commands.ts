import { type CommandSpec, defineCommand, type FlagSpec } from "../command/define-command.ts";
import {
  allowFlag,
  backingFlags,
  forceFlag,
  imageFlags,
  inputFormatFlag,
  passphraseFileFlag,
} from "./disk-flags.ts";

const compressionFlag: FlagSpec = {
  name: "compression",
  value: "TYPE",
  summary: "how clusters are compressed (default: zlib)",
  choices: ["zlib", "zstd"],
};

/** Commands that make or change disk files. */
export const diskWriteCommands: readonly CommandSpec[] = [
  defineCommand({
    path: ["disk", "convert"],
    summary: "copy a disk, read over its whole chain, to a file that stands alone",
    description:
      "Zeros are not stored. DST gets its name when it is whole and on stable storage; until then, and when anything\nfails, there is nothing of it. SRC is never changed.",
    args: [
      { name: "src", summary: "the disk to copy", complete: "files" },
      { name: "dst", summary: "the file to make", complete: "files" },
    ],
    flags: [
      { ...inputFormatFlag, summary: inputFormatFlag.summary.replace("FILE", "SRC") },
      {
        name: "output-format",
        short: "O",
        value: "FORMAT",
        summary: "format of DST (default: raw, as with qemu-img; qcow2 with -c)",
        choices: ["qcow2", "raw"],
      },
      { name: "compress", short: "c", summary: "compress the clusters of a qcow2 image" },
      { ...compressionFlag, summary: "compress with this (default with -c: zlib)" },
      { name: "snapshot", value: "NAME", summary: "copy this internal snapshot, by id or name" },
      ...imageFlags,
      forceFlag,
      allowFlag,
      passphraseFileFlag,
    ],
    examples: [
      { command: "box disk convert disk.qcow2 disk.img", summary: "To a raw disk" },
      {
        command: "box disk convert -f raw -O qcow2 disk.img disk.qcow2",
        summary: "A raw disk to qcow2",
      },
      {
        command: "box disk convert -O qcow2 --compression zstd overlay.qcow2 small.qcow2",
        summary: "An overlay and its base to one compressed image",
      },
    ],
    failures: [
      ...["not-found", "conflict", "in-use", "corrupt", "io", "no-space"],
      ...["unsupported", "denied", "encrypted", "backing-missing"],
    ] as const,
    mutates: true,
    schemas: () => import("./disk-convert/schemas.ts"),
    action: () => import("./disk-convert/action.ts"),
  }),
  defineCommand({
    path: ["disk", "create"],
    summary: "make an empty disk, or an overlay on another disk",
    description:
      "A backing file's name is stored as it is given: a relative one belongs to the folder of FILE. Its format is stored\nwith it and never guessed. SIZE may be left out for an overlay, and is rounded up to 512 bytes.",
    args: [
      { name: "file", summary: "the file to make", complete: "files" },
      {
        name: "size",
        summary: "size of the disk, such as 10GiB (default: the backing file's)",
        optional: true,
      },
    ],
    flags: [
      { ...inputFormatFlag, summary: "format of FILE (default: qcow2)" },
      ...backingFlags,
      {
        name: "data-file",
        value: "NAME",
        summary: "keep the data in this file, which is made too, relative to the folder of FILE",
        complete: "files",
      },
      { name: "data-file-raw", summary: "the data file stays a raw disk by itself" },
      ...imageFlags,
      { ...compressionFlag, summary: "how writers compress clusters (default: zlib)" },
      {
        name: "preallocation",
        value: "WHAT",
        summary: "make tables, or tables and data, at once (default: off)",
        choices: ["off", "metadata", "full"],
      },
      forceFlag,
    ],
    examples: [
      { command: "box disk create disk.qcow2 10GiB", summary: "An empty disk" },
      {
        command: "box disk create over.qcow2 --backing base.ext4 --backing-format raw",
        summary: "An overlay on a raw disk, as large as that",
      },
      { command: "box disk create -f raw disk.img 1GiB", summary: "A raw disk without any data" },
    ],
    failures: ["not-found", "conflict", "in-use", "corrupt", "io", "no-space", "backing-missing"],
    mutates: true,
    schemas: () => import("./disk-create/schemas.ts"),
    action: () => import("./disk-create/action.ts"),
  }),
  defineCommand({
    path: ["disk", "resize"],
    summary: "make a disk larger, or with --shrink smaller",
    description:
      "Changes FILE in place, in an order of which a crash leaves the old size or the new one. What is new reads as zeros.\nWrite a SIZE that begins with a minus behind two dashes: box disk resize --shrink FILE -- -1GiB.",
    args: [
      { name: "file", summary: "the disk file", complete: "files" },
      { name: "size", summary: "the new size, such as 10GiB, or +1GiB to add to the old one" },
    ],
    flags: [
      inputFormatFlag,
      { name: "shrink", summary: "allow a smaller size, which cuts off the end of the disk" },
      {
        name: "preallocation",
        value: "WHAT",
        summary: "make tables, or tables and data, of the new part at once (default: off)",
        choices: ["off", "metadata", "full"],
      },
      allowFlag,
    ],
    examples: [
      { command: "box disk resize disk.qcow2 20GiB", summary: "To a size" },
      { command: "box disk resize disk.qcow2 +1GiB", summary: "By a size" },
      {
        command: "box disk resize -f raw --shrink disk.img 512MiB",
        summary: "A raw disk, smaller",
      },
    ],
    failures: [
      ...["not-found", "conflict", "in-use", "corrupt", "io", "read-only", "no-space"],
      ...["unsupported", "denied", "encrypted", "backing-missing"],
    ] as const,
    mutates: true,
    schemas: () => import("./disk-resize/schemas.ts"),
    action: () => import("./disk-resize/action.ts"),
  }),
];

import type { ErrorKind } from "@box/errors";
import { type CommandSpec, defineCommand } from "../command/define-command.ts";
import { allowFlag } from "./disk-flags.ts";

const image = { name: "file", summary: "the qcow2 image", complete: "files" } as const;

const existing = { name: "name", summary: "the bitmap" };

const changeFailures: readonly ErrorKind[] = [
  ...(["not-found", "conflict", "in-use", "corrupt", "io", "read-only", "no-space"] as const),
  ...(["unsupported", "denied", "encrypted", "backing-missing"] as const),
];

/** Commands about the persistent bitmaps of an image, from which incremental backups are made. */
export const diskBitmapCommands: readonly CommandSpec[] = [
  defineCommand({
    path: ["disk", "bitmap", "list"],
    summary: "list the persistent bitmaps of an image, which record what was written",
    args: [image],
    flags: [],
    examples: [{ command: "box disk bitmap list disk.qcow2", summary: "A table" }],
    failures: ["not-found", "corrupt", "io", "unsupported"],
    mutates: false,
    schemas: () => import("./disk-bitmap-list/schemas.ts"),
    action: () => import("./disk-bitmap-list/action.ts"),
  }),
  defineCommand({
    path: ["disk", "bitmap", "add"],
    summary: "add a bitmap, which records what is written from now on, by box and by QEMU",
    args: [image, { name: "name", summary: "its name, 1 to 1023 bytes" }],
    flags: [
      {
        name: "granularity",
        short: "g",
        value: "SIZE",
        summary:
          "bytes that one bit stands for, a power of two from 512 to 2GiB (default: the cluster size, within 4KiB to 64KiB)",
      },
      { name: "disabled", summary: "record nothing until it is enabled" },
      allowFlag,
    ],
    examples: [
      { command: "box disk bitmap add disk.qcow2 backup", summary: "Of the usual granularity" },
      { command: "box disk bitmap add -g 4KiB disk.qcow2 fine", summary: "A finer one" },
    ],
    failures: [...changeFailures, "invalid-argument"],
    mutates: true,
    schemas: () => import("./disk-bitmap/add-schemas.ts"),
    action: () => import("./disk-bitmap/add.ts"),
  }),
  defineCommand({
    path: ["disk", "bitmap", "remove"],
    summary: "remove a bitmap, also one that is out of date",
    args: [image, existing],
    flags: [allowFlag],
    examples: [{ command: "box disk bitmap remove disk.qcow2 backup", summary: "By name" }],
    failures: changeFailures,
    mutates: true,
    schemas: () => import("./disk-bitmap/schemas.ts"),
    action: () => import("./disk-bitmap/remove.ts"),
  }),
  defineCommand({
    path: ["disk", "bitmap", "clear"],
    summary: "make a bitmap mark nothing, as after a backup",
    args: [image, existing],
    flags: [allowFlag],
    examples: [{ command: "box disk bitmap clear disk.qcow2 backup", summary: "After a backup" }],
    failures: changeFailures,
    mutates: true,
    schemas: () => import("./disk-bitmap/schemas.ts"),
    action: () => import("./disk-bitmap/clear.ts"),
  }),
  defineCommand({
    path: ["disk", "bitmap", "enable"],
    summary: "make a bitmap record what is written",
    args: [image, existing],
    flags: [allowFlag],
    examples: [{ command: "box disk bitmap enable disk.qcow2 backup", summary: "Go on recording" }],
    failures: changeFailures,
    mutates: true,
    schemas: () => import("./disk-bitmap/schemas.ts"),
    action: () => import("./disk-bitmap/enable.ts"),
  }),
  defineCommand({
    path: ["disk", "bitmap", "disable"],
    summary: "make a bitmap stay as it is, whatever is written",
    args: [image, existing],
    flags: [allowFlag],
    examples: [{ command: "box disk bitmap disable disk.qcow2 backup", summary: "Stop recording" }],
    failures: changeFailures,
    mutates: true,
    schemas: () => import("./disk-bitmap/schemas.ts"),
    action: () => import("./disk-bitmap/disable.ts"),
  }),
  defineCommand({
    path: ["disk", "bitmap", "merge"],
    summary: "add to a bitmap what another one marks, of the same image or of another one",
    args: [image, existing, { name: "source", summary: "the bitmap that is added to it" }],
    flags: [
      {
        name: "source-file",
        value: "FILE",
        summary:
          "the qcow2 image that has it, of a disk of the same size (default: the image itself)",
        complete: "files",
      },
      allowFlag,
    ],
    examples: [
      {
        command: "box disk bitmap merge --source-file overlay.qcow2 base.qcow2 all all",
        summary: "What was written to an overlay, before it is committed",
      },
      {
        command: "box disk bitmap merge disk.qcow2 week monday",
        summary: "What was written on Monday was written this week",
      },
    ],
    failures: [...changeFailures, "invalid-argument"],
    mutates: true,
    schemas: () => import("./disk-bitmap/merge-schemas.ts"),
    action: () => import("./disk-bitmap/merge.ts"),
  }),
];

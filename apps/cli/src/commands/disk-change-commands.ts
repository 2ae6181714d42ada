import type { ErrorKind } from "@box/errors";
import { type CommandSpec, defineCommand, type FlagSpec } from "../command/define-command.ts";
import { allowFlag, backingFlags, imageFlags, passphraseFileFlag } from "./disk-flags.ts";

const image = { name: "file", summary: "the qcow2 image", complete: "files" } as const;

const changeFailures: readonly ErrorKind[] = [
  ...(["not-found", "conflict", "in-use", "corrupt", "io", "read-only", "no-space"] as const),
  ...(["unsupported", "denied", "encrypted", "backing-missing"] as const),
];

/** Commands that change qcow2 images in place. */
export const diskChangeCommands: readonly CommandSpec[] = [
  defineCommand({
    path: ["disk", "rebase"],
    summary: "give an overlay another backing file, or none, and keep what its disk reads as",
    description:
      "What the new backing file holds differently is stored in FILE first; its header changes last, so that a crash\nchanges nothing that can be read. With --unsafe only the name and the format are changed: right when a backing\nfile was moved or its format was never stated, and damage else.",
    args: [image],
    flags: [
      ...backingFlags,
      {
        name: "standalone",
        summary: "no backing file any more: FILE gets all that it reads from it",
      },
      {
        name: "unsafe",
        summary: "change the name and the format only, and look at no backing file",
      },
      allowFlag,
      passphraseFileFlag,
    ],
    examples: [
      {
        command: "box disk rebase disk.qcow2 --backing new.ext4 --backing-format raw",
        summary: "To another base",
      },
      {
        command:
          "box disk rebase --unsafe disk.qcow2 --backing /images/base.ext4 --backing-format raw",
        summary: "The base was moved",
      },
      { command: "box disk rebase --standalone disk.qcow2", summary: "Without a base" },
    ],
    failures: changeFailures,
    mutates: true,
    schemas: () => import("./disk-rebase/schemas.ts"),
    action: () => import("./disk-rebase/action.ts"),
  }),
  defineCommand({
    path: ["disk", "commit"],
    summary: "write what an overlay holds into its backing file, and empty the overlay",
    description:
      "Every other overlay on the same backing file reads differently afterwards. FILE gives nothing up before the backing\nfile has it on stable storage; a command that was stopped can be run again.",
    args: [image],
    flags: [{ name: "keep", summary: "leave FILE as it is" }, allowFlag],
    examples: [
      { command: "box disk commit overlay.qcow2", summary: "Into its backing file" },
      {
        command: "box disk commit --keep overlay.qcow2 --allow /images",
        summary: "With a backing file in another folder, and FILE unchanged",
      },
    ],
    failures: changeFailures,
    mutates: true,
    schemas: () => import("./disk-commit/schemas.ts"),
    action: () => import("./disk-commit/action.ts"),
  }),
  defineCommand({
    path: ["disk", "amend"],
    summary: "change features of an image that exists",
    description:
      "What no flag names stays as it is. The header changes last, so that a crash leaves a sound image. Cluster size,\ncompression type and extended L2 entries are fixed: convert the image instead. For the backing file see box disk rebase.",
    args: [image],
    flags: [
      imageFlag("compat", "1.1 makes version 3 of the format, 0.10 version 2"),
      imageFlag("refcount-bits", "another width of reference counts, all counted anew"),
      {
        name: "lazy-refcounts",
        value: "WHETHER",
        summary: "whether writers may bring reference counts up to date later",
        choices: ["on", "off"],
      },
      {
        name: "data-file",
        value: "NAME",
        summary: "another name for the data file that FILE has; the file is not moved",
        complete: "files",
      },
      {
        name: "data-file-raw",
        value: "WHETHER",
        summary: "off: the data file need not be a raw disk by itself any more",
        choices: ["off"],
      },
    ],
    examples: [
      { command: "box disk amend --compat 1.1 old.qcow2", summary: "Version 3 of the format" },
      {
        command: "box disk amend --refcount-bits 64 disk.qcow2",
        summary: "Room for any number of snapshots",
      },
    ],
    failures: [
      ...["not-found", "conflict", "in-use", "corrupt", "io", "read-only", "no-space"],
      "unsupported",
    ] as const,
    mutates: true,
    schemas: () => import("./disk-amend/schemas.ts"),
    action: () => import("./disk-amend/action.ts"),
  }),
];

/** A flag as fresh images have it, for one that exists. */
function imageFlag(name: string, summary: string): FlagSpec {
  return { ...(imageFlags.find((each) => each.name === name) as FlagSpec), summary };
}

import type { ErrorKind } from "@box/errors";
import { type CommandSpec, defineCommand } from "../command/define-command.ts";
import { allowFlag } from "./disk-flags.ts";

const image = { name: "file", summary: "the qcow2 image", complete: "files" } as const;

const existing = { name: "name", summary: "the snapshot, by id or name" };

const changeFailures: readonly ErrorKind[] = [
  ...(["not-found", "conflict", "in-use", "corrupt", "io", "read-only", "no-space"] as const),
  ...(["unsupported", "denied", "encrypted", "backing-missing"] as const),
];

/** Commands about the internal snapshots of an image. */
export const diskSnapshotCommands: readonly CommandSpec[] = [
  defineCommand({
    path: ["disk", "snapshot", "list"],
    summary: "list the internal snapshots of an image",
    args: [image],
    flags: [],
    examples: [{ command: "box disk snapshot list disk.qcow2", summary: "A table" }],
    failures: ["not-found", "corrupt", "io", "unsupported"],
    mutates: false,
    schemas: () => import("./disk-snapshot-list/schemas.ts"),
    action: () => import("./disk-snapshot-list/action.ts"),
  }),
  defineCommand({
    path: ["disk", "snapshot", "create"],
    summary: "take an internal snapshot of a disk as it is now",
    args: [image, { name: "name", summary: "its name, 1 to 255 bytes" }],
    flags: [allowFlag],
    examples: [
      { command: "box disk snapshot create disk.qcow2 before-update", summary: "Under a name" },
    ],
    failures: changeFailures,
    mutates: true,
    schemas: () => import("./disk-snapshot/schemas.ts"),
    action: () => import("./disk-snapshot/create.ts"),
  }),
  defineCommand({
    path: ["disk", "snapshot", "apply"],
    summary: "make a disk what it was when a snapshot was taken; what was written since is lost",
    args: [image, existing],
    flags: [allowFlag],
    examples: [
      { command: "box disk snapshot apply disk.qcow2 before-update", summary: "By name" },
      { command: "box disk snapshot apply disk.qcow2 1", summary: "By id" },
    ],
    failures: changeFailures,
    mutates: true,
    schemas: () => import("./disk-snapshot/schemas.ts"),
    action: () => import("./disk-snapshot/apply.ts"),
  }),
  defineCommand({
    path: ["disk", "snapshot", "delete"],
    summary: "delete a snapshot and give back the space that only it used",
    args: [image, existing],
    flags: [allowFlag],
    examples: [
      { command: "box disk snapshot delete disk.qcow2 before-update", summary: "By name" },
    ],
    failures: changeFailures,
    mutates: true,
    schemas: () => import("./disk-snapshot/schemas.ts"),
    action: () => import("./disk-snapshot/delete.ts"),
  }),
];

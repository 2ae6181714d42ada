import type { ErrorKind } from "@box/errors";
import { type CommandSpec, defineCommand } from "../command/define-command.ts";

const image = { name: "file", summary: "the qcow2 image", complete: "files" } as const;

const readFailures: readonly ErrorKind[] = ["not-found", "corrupt", "io", "unsupported"];

/** Commands about what is kept inside an image besides its disk. */
export const diskSnapshotCommands: readonly CommandSpec[] = [
  defineCommand({
    path: ["disk", "snapshot", "list"],
    summary: "list the internal snapshots of an image",
    args: [image],
    flags: [],
    examples: [{ command: "box disk snapshot list disk.qcow2", summary: "A table" }],
    failures: readFailures,
    mutates: false,
    schemas: () => import("./disk-snapshot-list/schemas.ts"),
    action: () => import("./disk-snapshot-list/action.ts"),
  }),
  defineCommand({
    path: ["disk", "bitmap", "list"],
    summary: "list the persistent bitmaps of an image, which record what was written",
    args: [image],
    flags: [],
    examples: [{ command: "box disk bitmap list disk.qcow2", summary: "A table" }],
    failures: readFailures,
    mutates: false,
    schemas: () => import("./disk-bitmap-list/schemas.ts"),
    action: () => import("./disk-bitmap-list/action.ts"),
  }),
];

import { type CommandSpec, defineCommand } from "../command/define-command.ts";
import { netFlag, publishFlag } from "./box-commands.ts";

const box = { name: "name", summary: "the box", complete: "boxes" } as const;
const failures = ["not-found", "conflict", "in-use", "corrupt", "io", "backing-missing"] as const;

/** Commands that change a box that is there, or make another of it. */
export const boxChangeCommands: readonly CommandSpec[] = [
  defineCommand({
    path: ["rename"],
    summary: "give a box another name",
    args: [box, { name: "new-name", summary: "its new name" }],
    flags: [],
    examples: [{ command: "box rename web www", summary: "Everything else stays" }],
    failures: ["not-found", "conflict", "in-use", "io"],
    mutates: true,
    schemas: () => import("./rename/schemas.ts"),
    action: () => import("./rename/action.ts"),
  }),
  defineCommand({
    path: ["clone"],
    summary: "make a box as a copy of another: both disks as they are",
    description: "It stands on the same bases and has the same snapshots and labels.",
    args: [
      box,
      { name: "copy", summary: "name of the copy (default: one is made up)", optional: true },
    ],
    flags: [],
    examples: [{ command: "box clone web web-test", summary: "A copy to try things on" }],
    failures,
    mutates: true,
    schemas: () => import("./clone/schemas.ts"),
    action: () => import("./clone/action.ts"),
  }),
  defineCommand({
    path: ["resize"],
    summary: "grow the disk of a box",
    description:
      "Only the disk grows: the file system on it grows when the guest grows it, with resize2fs for one.",
    args: [box, { name: "size", summary: "the new size, such as 10GiB" }],
    flags: [],
    examples: [{ command: "box resize web 10GiB", summary: "To 10 GiB" }],
    failures: ["invalid-argument", ...failures],
    mutates: true,
    schemas: () => import("./resize/schemas.ts"),
    action: () => import("./resize/action.ts"),
  }),
  defineCommand({
    path: ["snapshot", "create"],
    summary: "take a snapshot of the disk of a box",
    description: "Snapshots are kept inside the box's own disk. The disk of the system has none.",
    args: [box, { name: "snapshot", summary: "name of the snapshot" }],
    flags: [],
    examples: [{ command: "box snapshot create web before", summary: "Before a change" }],
    failures,
    mutates: true,
    schemas: () => import("./snapshot-change/schemas.ts"),
    action: () => import("./snapshot-change/create.ts"),
  }),
  defineCommand({
    path: ["snapshot", "ls"],
    summary: "list the snapshots of a box, the oldest first",
    args: [box],
    flags: [],
    examples: [{ command: "box snapshot ls web", summary: "A table" }],
    failures: ["not-found", "corrupt", "io", "backing-missing"],
    mutates: false,
    schemas: () => import("./snapshot-ls/schemas.ts"),
    action: () => import("./snapshot-ls/action.ts"),
  }),
  defineCommand({
    path: ["snapshot", "restore"],
    summary: "make the disk of a box what it was when a snapshot was taken",
    description:
      "What was written to the disk since is lost; its size is that of the snapshot again.",
    args: [box, { name: "snapshot", summary: "the snapshot" }],
    flags: [],
    examples: [{ command: "box snapshot restore web before", summary: "Undo everything since" }],
    failures,
    mutates: true,
    schemas: () => import("./snapshot-change/schemas.ts"),
    action: () => import("./snapshot-change/restore.ts"),
  }),
  defineCommand({
    path: ["snapshot", "rm"],
    summary: "remove a snapshot of a box",
    args: [box, { name: "snapshot", summary: "the snapshot" }],
    flags: [],
    examples: [{ command: "box snapshot rm web before", summary: "The disk itself stays" }],
    failures,
    mutates: true,
    schemas: () => import("./snapshot-change/schemas.ts"),
    action: () => import("./snapshot-change/remove.ts"),
  }),
  defineCommand({
    path: ["pack"],
    summary: "write a box as one archive with checksums, for another machine",
    description:
      "A tar file of the box's record, its disks and their bases. A file that exists is refused. Bases that are left out\nare built from the images by box unpack. Ports and the network card belong to this host: box unpack is given them anew.",
    args: [box],
    flags: [
      {
        name: "output",
        short: "o",
        value: "FILE",
        summary: "the archive (default: NAME.box.tar here)",
        complete: "files",
      },
      { name: "without-bases", summary: "leave the contents of the bases out" },
    ],
    examples: [{ command: "box pack web -o web.box.tar", summary: "With everything it needs" }],
    failures: ["unsupported", ...failures],
    mutates: true,
    schemas: () => import("./pack/schemas.ts"),
    action: () => import("./pack/action.ts"),
  }),
  defineCommand({
    path: ["unpack"],
    summary: "make a box from an archive that box pack wrote",
    description:
      "The archive is checked from end to end first: with one flipped byte it is refused.",
    args: [{ name: "file", summary: "the archive", complete: "files" }],
    flags: [
      { name: "name", value: "NAME", summary: "name of the box (default: that in the archive)" },
      publishFlag,
      netFlag,
    ],
    examples: [
      { command: "box unpack web.box.tar", summary: "Under its own name" },
      { command: "box unpack web.box.tar --name copy", summary: "Under another" },
    ],
    failures: ["not-found", "conflict", "corrupt", "io", "unsupported", "network"],
    mutates: true,
    schemas: () => import("./unpack/schemas.ts"),
    action: () => import("./unpack/action.ts"),
  }),
];

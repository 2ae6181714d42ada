import { type CommandSpec, defineCommand, type FlagSpec } from "../command/define-command.ts";
import { pullFlag } from "./box-commands.ts";
import { platformFlag } from "./image-commands.ts";

/** How a disk with a file system is read; the same for every command that reads one. */
const diskFlags: readonly FlagSpec[] = [
  {
    name: "input-format",
    short: "f",
    value: "FORMAT",
    summary: "format of the file (default: ext4, without any container); never guessed",
    choices: ["ext4", "qcow2"],
  },
  {
    name: "allow",
    value: "DIR",
    summary: "folder in which a qcow2's backing files may lie (default: its own folder)",
    many: true,
    complete: "directories",
  },
];

const diskFailures = ["not-found", "corrupt", "io", "unsupported", "denied"] as const;

/** Commands about root file systems: made from images, and read without a mount. */
export const rootfsCommands: readonly CommandSpec[] = [
  defineCommand({
    path: ["rootfs", "build"],
    summary: "build a root file system from an image's layers, without a box",
    description:
      "The same image gives the same bytes on every machine. FILE is replaced only when everything is written.",
    args: [{ name: "ref", summary: "the image", complete: "images" }],
    flags: [
      {
        name: "output",
        short: "o",
        value: "FILE",
        summary: "the file to write; must be given",
        complete: "files",
      },
      {
        name: "disk-format",
        value: "FORMAT",
        summary: "format of FILE (default: ext4)",
        choices: ["ext4", "qcow2"],
      },
      {
        name: "size",
        value: "SIZE",
        summary: "size of the file system (default: as small as possible)",
      },
      {
        name: "inject",
        value: "SRC:DST:MODE",
        summary: "put the file SRC of this machine at DST in the image, with MODE, such as 0755",
        many: true,
      },
      platformFlag,
      pullFlag,
    ],
    examples: [
      { command: "box rootfs build alpine:3.22 -o alpine.ext4", summary: "A raw ext4 disk" },
      {
        command: "box rootfs build alpine:3.22 -o alpine.qcow2 --disk-format qcow2 --size 4GiB",
        summary: "A qcow2 with room to grow",
      },
      {
        command: "box rootfs build alpine:3.22 -o a.ext4 --inject ./agent:/sbin/agent:0755",
        summary: "With a file of this machine on top",
      },
    ],
    failures: ["not-found", "corrupt", "io", "network", "auth", "unsupported"],
    mutates: true,
    schemas: () => import("./rootfs-build/schemas.ts"),
    action: () => import("./rootfs-build/action.ts"),
  }),
  defineCommand({
    path: ["rootfs", "inspect"],
    summary: "show what a disk's ext4 file system says of itself: sizes, names, features",
    args: [{ name: "file", summary: "the disk", complete: "files" }],
    flags: diskFlags,
    examples: [
      { command: "box rootfs inspect alpine.ext4", summary: "A raw disk" },
      { command: "box rootfs inspect -f qcow2 disk.qcow2 --allow bases", summary: "An overlay" },
    ],
    failures: diskFailures,
    mutates: false,
    schemas: () => import("./rootfs-inspect/schemas.ts"),
    action: () => import("./rootfs-inspect/action.ts"),
  }),
  defineCommand({
    path: ["rootfs", "ls"],
    summary: "list a folder of a disk's file system, without a mount",
    description:
      "Bytes of names that are no text are shown as \\xNN. JSON has every attribute; xattr values are in hexadecimal.",
    args: [
      { name: "file", summary: "the disk", complete: "files" },
      { name: "path", summary: "a path in it (default: /)", optional: true },
    ],
    flags: [{ name: "recursive", short: "R", summary: "also what is below it" }, ...diskFlags],
    examples: [
      { command: "box rootfs ls alpine.ext4 /etc", summary: "One folder" },
      { command: "box rootfs ls -R alpine.ext4 --format json", summary: "All of it, for programs" },
    ],
    failures: diskFailures,
    mutates: false,
    schemas: () => import("./rootfs-ls/schemas.ts"),
    action: () => import("./rootfs-ls/action.ts"),
  }),
  defineCommand({
    path: ["rootfs", "cat"],
    summary: "print a file of a disk's file system, byte for byte",
    args: [
      { name: "file", summary: "the disk", complete: "files" },
      { name: "path", summary: "a path in it; symbolic links are followed inside the disk" },
    ],
    flags: diskFlags,
    examples: [
      { command: "box rootfs cat alpine.ext4 /etc/os-release", summary: "Prints it" },
      { command: "box rootfs cat alpine.ext4 /bin/busybox > busybox", summary: "Copies it out" },
    ],
    failures: diskFailures,
    mutates: false,
    schemas: () => import("./rootfs-cat/schemas.ts"),
    action: () => import("./rootfs-cat/action.ts"),
  }),
  defineCommand({
    path: ["rootfs", "diff"],
    summary: "compare the file systems of two disks: names, attributes, content",
    description:
      "Prints + for what only B has, - for what only A has, M for what differs and in which way.\nExits with 1 when there is a difference.",
    args: [
      { name: "a", summary: "a disk", complete: "files" },
      { name: "b", summary: "another one", complete: "files" },
    ],
    flags: diskFlags,
    examples: [{ command: "box rootfs diff old.ext4 new.ext4", summary: "What has changed" }],
    failures: diskFailures,
    mutates: false,
    schemas: () => import("./rootfs-diff/schemas.ts"),
    action: () => import("./rootfs-diff/action.ts"),
  }),
  defineCommand({
    path: ["rootfs", "verify"],
    summary: "check a disk's file system, or the bases of this home",
    description:
      "With FILE: all metadata of its ext4 is read and every broken rule is told. Without: each base of this home is read\nfrom end to end and compared with its recorded digest. Exits with 5 when something is damaged. Changes nothing.",
    args: [{ name: "file", summary: "the disk", optional: true, complete: "files" }],
    flags: diskFlags,
    examples: [
      { command: "box rootfs verify alpine.ext4", summary: "A disk" },
      { command: "box rootfs verify", summary: "Every base of this home" },
    ],
    failures: diskFailures,
    mutates: false,
    schemas: () => import("./rootfs-verify/schemas.ts"),
    action: () => import("./rootfs-verify/action.ts"),
  }),
  defineCommand({
    path: ["rootfs", "restore"],
    summary: "make the lost or damaged bases of a box again; its disks are not touched",
    description:
      "Every base is read from end to end. One that is missing, is no regular file or has another size or content than\nrecorded is made again at its path, and only to its recorded content; a damaged file is kept in quarantine, a base\nthat is as recorded is left alone. Nothing changes when that fails.",
    args: [{ name: "name", summary: "the box", complete: "boxes" }],
    flags: [],
    examples: [
      { command: "box rootfs restore web", summary: "After error[OVERLAY_BACKING_MISSING]" },
    ],
    failures: [
      "not-found",
      "in-use",
      "conflict",
      "corrupt",
      "io",
      "network",
      "auth",
      "unsupported",
    ],
    mutates: true,
    schemas: () => import("./rootfs-restore/schemas.ts"),
    action: () => import("./rootfs-restore/action.ts"),
  }),
];

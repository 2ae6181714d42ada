import { type CommandSpec, defineCommand, type FlagSpec } from "../command/define-command.ts";
import { pullFlag } from "./box-commands.ts";

const platformFlag: FlagSpec = {
  name: "platform",
  value: "PLATFORM",
  summary: "such as linux/arm64/v8 (default: linux on this machine's architecture)",
};

/** Commands about images and the file systems made from them. */
export const imageCommands: readonly CommandSpec[] = [
  defineCommand({
    path: ["pull"],
    summary: "fetch images into this home, each blob verified",
    args: [{ name: "refs", summary: "the images", many: true, complete: "images" }],
    flags: [platformFlag],
    examples: [
      { command: "box pull debian:bookworm alpine:3.22", summary: "From a registry" },
      { command: "box pull oci:./images:latest", summary: "From an OCI layout" },
    ],
    failures: ["not-found", "corrupt", "io", "network", "auth", "unsupported"],
    mutates: true,
    schemas: () => import("./pull/schemas.ts"),
    action: () => import("./pull/action.ts"),
  }),
  defineCommand({
    path: ["images"],
    summary: "list the images of this home",
    args: [],
    flags: [],
    examples: [{ command: "box images", summary: "A table" }],
    failures: ["io", "corrupt"],
    mutates: false,
    schemas: () => import("./images/schemas.ts"),
    action: () => import("./images/action.ts"),
  }),
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
        choices: ["ext4"],
      },
      {
        name: "size",
        value: "SIZE",
        summary: "size of the file system (default: as small as possible)",
      },
      platformFlag,
      pullFlag,
    ],
    examples: [
      { command: "box rootfs build alpine:3.22 -o alpine.ext4", summary: "A raw ext4 disk" },
    ],
    failures: ["not-found", "corrupt", "io", "network", "auth", "unsupported"],
    mutates: true,
    schemas: () => import("./rootfs-build/schemas.ts"),
    action: () => import("./rootfs-build/action.ts"),
  }),
  defineCommand({
    path: ["rootfs", "restore"],
    summary: "make the lost bases of a box again, from its images; its disks are not touched",
    description:
      "A base that is missing, is no regular file or has another size than recorded is made again at its path,\nand only to its recorded content; a base that is there is left alone. Nothing changes when that fails.",
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

import { type CommandSpec, defineCommand, type FlagSpec } from "../command/define-command.ts";

/** Which image of an index. */
export const platformFlag: FlagSpec = {
  name: "platform",
  value: "PLATFORM",
  summary: "such as linux/arm64/v8 (default: linux on this machine's architecture)",
};

/** Commands about images. */
export const imageCommands: readonly CommandSpec[] = [
  defineCommand({
    path: ["pull"],
    summary: "fetch images into this home, each blob verified",
    args: [{ name: "refs", summary: "the images", many: true, complete: "images" }],
    flags: [
      platformFlag,
      {
        name: "verify-key",
        value: "FILE",
        summary:
          "public key in PEM that each image must be signed with, by cosign or a sigstore bundle",
        complete: "files",
      },
    ],
    examples: [
      { command: "box pull debian:bookworm alpine:3.22", summary: "From a registry" },
      { command: "box pull oci:./images:latest", summary: "From an OCI layout" },
      {
        command: "box pull example.com/app:v1 --verify-key cosign.pub",
        summary: "Only when it is signed",
      },
    ],
    failures: ["not-found", "corrupt", "io", "network", "auth", "unsupported", "denied"],
    mutates: true,
    schemas: () => import("./pull/schemas.ts"),
    action: () => import("./pull/action.ts"),
  }),
  defineCommand({
    path: ["push"],
    summary: "send an image of this home to a registry or an image layout",
    description:
      "All platforms of the image go when everything that its index lists is here, else the one for this machine or --platform,\nwith a warning. Attestations are never pulled: an index that lists some goes as one platform.",
    args: [
      { name: "ref", summary: "the image", complete: "images" },
      {
        name: "destination",
        summary: "where it goes (default: the image's own name)",
        optional: true,
      },
    ],
    flags: [platformFlag],
    examples: [
      { command: "box push 127.0.0.1:5000/team/app:v1", summary: "To the registry in its name" },
      { command: "box push alpine:3.22 oci:./images:alpine", summary: "To an OCI layout" },
    ],
    failures: ["not-found", "corrupt", "io", "network", "auth"],
    mutates: true,
    schemas: () => import("./push/schemas.ts"),
    action: () => import("./push/action.ts"),
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
    path: ["rmi"],
    summary: "remove images; what neither another name nor a box needs goes with them",
    args: [{ name: "refs", summary: "the images", many: true, complete: "images" }],
    flags: [{ name: "force", short: "f", summary: "an image that is not here is no error" }],
    examples: [{ command: "box rmi alpine:3.22", summary: "One image" }],
    failures: ["not-found", "io", "corrupt"],
    mutates: true,
    schemas: () => import("./rmi/schemas.ts"),
    action: () => import("./rmi/action.ts"),
  }),
  defineCommand({
    path: ["verify"],
    summary: "hash every blob of this home's images and look whether each image is whole",
    args: [],
    flags: [
      {
        name: "deep",
        summary: "unpack every layer too, and compare it with what the image's config says",
      },
      { name: "repair", summary: "take damaged blobs away, so that the next pull brings them" },
    ],
    examples: [
      { command: "box verify", summary: "Everything as it was pulled" },
      { command: "box verify --deep", summary: "And what the layers unpack to" },
    ],
    failures: ["corrupt", "io"],
    mutates: true,
    schemas: () => import("./verify/schemas.ts"),
    action: () => import("./verify/action.ts"),
  }),
  defineCommand({
    path: ["tag"],
    summary: "give an image of this home one more name",
    args: [
      { name: "ref", summary: "the image", complete: "images" },
      { name: "name", summary: "the new name; one that is in use moves" },
    ],
    flags: [],
    examples: [
      { command: "box tag alpine:3.22 127.0.0.1:5000/alpine:3.22", summary: "Before a push" },
    ],
    failures: ["not-found", "io", "invalid-argument"],
    mutates: true,
    schemas: () => import("./tag/schemas.ts"),
    action: () => import("./tag/action.ts"),
  }),
  defineCommand({
    path: ["import"],
    summary: "bring the images of an archive or an image layout into this home",
    description:
      "FILE is what docker save, skopeo or box export wrote, plain or compressed, or the folder of an image layout;\n- reads an archive from stdin.",
    args: [{ name: "file", summary: "the archive or folder, or -", complete: "files" }],
    flags: [
      {
        name: "tag",
        value: "NAME",
        summary: "name of the only image (default: the names that it has there)",
      },
      platformFlag,
    ],
    examples: [
      { command: "box import app.tar", summary: "From a file" },
      { command: "box import - --tag example.com/app:v1", summary: "From stdin, under a name" },
    ],
    failures: ["not-found", "corrupt", "io", "unsupported"],
    mutates: true,
    schemas: () => import("./import/schemas.ts"),
    action: () => import("./import/action.ts"),
  }),
  defineCommand({
    path: ["export"],
    summary: "write an image of this home as an archive; the same image gives the same bytes",
    args: [{ name: "ref", summary: "the image", complete: "images" }],
    flags: [
      {
        name: "output",
        short: "o",
        value: "FILE",
        summary: "the file to write, or - for stdout; must be given",
        complete: "files",
      },
      {
        name: "archive-format",
        value: "FORMAT",
        summary: "a packed image layout, or what docker load takes (default: oci-archive)",
        choices: ["oci-archive", "docker-archive", "docker-archive-legacy"],
      },
      platformFlag,
    ],
    examples: [
      { command: "box export alpine:3.22 -o alpine.tar", summary: "A packed image layout" },
      {
        command: "box export alpine:3.22 -o - --archive-format docker-archive | docker load",
        summary: "Into Docker",
      },
    ],
    failures: ["not-found", "corrupt", "io"],
    mutates: true,
    schemas: () => import("./export/schemas.ts"),
    action: () => import("./export/action.ts"),
  }),
];

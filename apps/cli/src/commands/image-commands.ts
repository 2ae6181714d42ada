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
];

import { type CommandSpec, defineCommand } from "../command/define-command.ts";

/** Commands about box itself. */
export const metaCommands: readonly CommandSpec[] = [
  defineCommand({
    path: ["serve"],
    summary: "serve the boxes of this home over HTTP, until it is told to stop",
    description:
      "Prints the URL once it listens. Without --listen it is a unix socket that only you can open.\nGET /openapi.json describes the interface. Off loopback an API key is needed.",
    args: [],
    flags: [
      {
        name: "listen",
        value: "URL",
        summary: "unix:///PATH or tcp://HOST:PORT (default: a socket of this home's own)",
      },
      {
        name: "api-key-file",
        value: "FILE",
        summary: "file whose first line callers on TCP must send as a bearer token",
        complete: "files",
      },
      {
        name: "shutdown-grace",
        value: "DURATION",
        summary: "how long running operations may still take after a signal to stop (default: 10s)",
      },
    ],
    examples: [
      { command: "box serve", summary: "On a unix socket" },
      { command: "box serve --listen tcp://127.0.0.1:8100", summary: "On loopback" },
    ],
    failures: ["in-use", "denied", "io"],
    mutates: true,
    schemas: () => import("./serve/schemas.ts"),
    action: () => import("./serve/action.ts"),
  }),
  defineCommand({
    path: ["setup"],
    summary: "bring what starting boxes needs: QEMU, a kernel, and what compiles the agent",
    description:
      "As root on Debian and Ubuntu it installs packages with apt-get; elsewhere it prints what to run.\nThe kernel is unpacked into box's cache and not installed: the host goes on booting its own.",
    args: [],
    flags: [{ name: "dry-run", summary: "only say what would be done" }],
    examples: [
      { command: "box setup --dry-run", summary: "What is missing" },
      { command: "box setup", summary: "Bring it" },
    ],
    failures: ["unsupported"],
    exitCodes: { 9: "boxes still cannot be started here" },
    mutates: true,
    schemas: () => import("./setup/schemas.ts"),
    action: () => import("./setup/action.ts"),
  }),
  defineCommand({
    path: ["explain"],
    summary: "say what an error code means and what to do about it",
    args: [{ name: "code", summary: "such as QCOW2_BAD_MAGIC", complete: "codes", optional: true }],
    flags: [],
    examples: [
      { command: "box explain OVERLAY_BACKING_MISSING", summary: "One code" },
      { command: "box explain", summary: "All codes" },
    ],
    failures: ["not-found"],
    mutates: false,
    schemas: () => import("./explain/schemas.ts"),
    action: () => import("./explain/action.ts"),
  }),
  defineCommand({
    path: ["schema"],
    summary: "print the JSON schemas of a command's input and output",
    args: [{ name: "command", summary: "such as rootfs build", many: true, complete: "commands" }],
    flags: [],
    examples: [{ command: "box schema inspect", summary: "What box inspect --format json prints" }],
    failures: ["invalid-argument"],
    mutates: false,
    schemas: () => import("./schema/schemas.ts"),
    action: () => import("./schema/action.ts"),
  }),
  defineCommand({
    path: ["completion"],
    summary: "print the completion script of a shell",
    description:
      "bash:  source <(box completion bash)\nzsh:   source <(box completion zsh)\nfish:  box completion fish | source",
    args: [{ name: "shell", summary: "the shell", choices: ["bash", "zsh", "fish"] }],
    flags: [],
    examples: [
      { command: "box completion bash > ~/.box-completion", summary: "Keep it in a file" },
    ],
    failures: [],
    mutates: false,
    schemas: () => import("./completion/schemas.ts"),
    action: () => import("./completion/action.ts"),
  }),
  defineCommand({
    path: ["version"],
    summary: "print the version of box and of what it runs on",
    args: [],
    flags: [],
    examples: [{ command: "box version --format json", summary: "For a bug report" }],
    failures: [],
    mutates: false,
    schemas: () => import("./version/schemas.ts"),
    action: () => import("./version/action.ts"),
  }),
  defineCommand({
    path: ["help"],
    summary: "print the help of box or of a command",
    args: [
      {
        name: "command",
        summary: "such as create",
        many: true,
        optional: true,
        complete: "commands",
      },
    ],
    flags: [],
    examples: [
      { command: "box help rootfs build", summary: "The same as box rootfs build --help" },
    ],
    failures: ["invalid-argument"],
    mutates: false,
    schemas: () => import("./help/schemas.ts"),
    action: () => import("./help/action.ts"),
  }),
  defineCommand({
    path: ["complete-words"],
    summary: "what the completion scripts call: candidates for the last word",
    args: [{ name: "words", summary: "the words typed after box", many: true, optional: true }],
    flags: [],
    examples: [{ command: "box complete-words -- rm ''", summary: "Names of boxes" }],
    failures: [],
    hidden: true,
    mutates: false,
    schemas: () => import("./complete-words/schemas.ts"),
    action: () => import("./complete-words/action.ts"),
  }),
];

import { type CommandSpec, defineCommand, type FlagSpec } from "../command/define-command.ts";

/** When a registry is asked; the same for every command that takes an image. */
export const pullFlag: FlagSpec = {
  name: "pull",
  value: "WHEN",
  summary: "when the registry is asked for an image that may be here already (default: missing)",
  choices: ["missing", "always", "never"],
};

/** Ports of the host that lead into a box. */
export const publishFlag: FlagSpec = {
  name: "publish",
  short: "p",
  value: "[[ADDRESS:]HOST:]GUEST",
  summary: "forward a port of this host to the box, on the loopback unless ADDRESS says otherwise",
  many: true,
};

/** Whether a box has a network card. */
export const netFlag: FlagSpec = {
  name: "net",
  summary:
    "give the box a network card: it reaches all that this host reaches, AND THIS HOST'S OWN LOOPBACK at 10.0.2.2 (default: no card)",
};

/** What users of docker give. */
export const volumeFlag: FlagSpec = {
  name: "volume",
  short: "v",
  value: "HOST:GUEST[:ro]",
  summary: "unsupported: a box shares no folders with its host; copy them with box cp",
  many: true,
};

/** How the program of a box differs from what its image says. */
export const programFlags: readonly FlagSpec[] = [
  {
    name: "entrypoint",
    value: "PROGRAM",
    summary:
      "the program in place of the image's entry point and command; empty for the command alone",
  },
  {
    name: "group-add",
    value: "GROUP",
    summary: "a group more for its program and its commands, by name or number (repeatable)",
    many: true,
  },
  {
    name: "hostname",
    value: "NAME",
    summary: "the name of its host, which it knows itself by (default: the box's name)",
  },
  {
    name: "stop-signal",
    value: "SIGNAL",
    summary:
      "what stopping sends its program first such as INT (default: as the image says, else TERM)",
  },
];

/** Commands about boxes. */
export const boxCommands: readonly CommandSpec[] = [
  defineCommand({
    path: ["create"],
    summary: "make a box: its disks from an image, and a record of both",
    description:
      "REF is NAME[:TAG][@DIGEST], oci:DIR[:TAG], oci-archive:FILE or docker-archive:FILE.\nA box has two disks: its own, an overlay on the image's base, and the one of the system that boots.",
    args: [{ name: "ref", summary: "the image", complete: "images" }],
    flags: [
      { name: "name", value: "NAME", summary: "name of the box (default: one is made up)" },
      {
        name: "guest-rootfs",
        value: "REF",
        summary: "image of the system that boots, or none for an initramfs (default: box's own)",
        complete: "images",
      },
      {
        name: "disk-size",
        value: "SIZE",
        summary: "size of the box's disk, such as 10GiB (default: 10GiB, taken as it is written)",
      },
      {
        name: "label",
        value: "NAME=VALUE",
        summary: "a label to find the box by (repeatable)",
        many: true,
      },
      ...programFlags,
      netFlag,
      volumeFlag,
      { name: "rm", summary: "the box goes away when it has stopped" },
      {
        name: "restart",
        value: "POLICY",
        summary:
          "what the server does when the box ends by itself: no, on-failure[:N] or always (default: no)",
      },
      pullFlag,
    ],
    examples: [
      { command: "box create debian:bookworm --name web", summary: "From a registry" },
      { command: "box create oci:./images:latest --name web", summary: "From an OCI layout" },
      {
        command: "box create alpine --name small --guest-rootfs none --disk-size 4GiB",
        summary: "Without a disk for the system",
      },
    ],
    failures: ["not-found", "conflict", "corrupt", "io", "network", "auth", "unsupported"],
    hasPlainInput: true,
    mutates: true,
    schemas: () => import("./create/schemas.ts"),
    action: () => import("./create/action.ts"),
  }),
  defineCommand({
    path: ["prepare"],
    summary: "apply the overlay rules to both disks of a box, as before a start",
    description:
      "Sound overlays are kept as they are. A damaged guest disk is moved to quarantine and made again, with a warning;\nan absent one is made again.\nA damaged or absent disk of the box itself is refused, unless --recreate-disk is given.",
    args: [{ name: "name", summary: "the box", complete: "boxes" }],
    flags: [
      {
        name: "recreate-disk",
        summary: "make the box's own disk again if it is damaged or gone: its data is lost",
      },
    ],
    examples: [
      { command: "box prepare web", summary: "Check and repair" },
      { command: "box prepare web --recreate-disk", summary: "Give the box's data up" },
    ],
    failures: ["not-found", "in-use", "corrupt", "io", "unsupported", "backing-missing"],
    mutates: true,
    schemas: () => import("./prepare/schemas.ts"),
    action: () => import("./prepare/action.ts"),
  }),
  defineCommand({
    path: ["ls"],
    summary: "list the boxes",
    args: [],
    flags: [
      {
        name: "filter",
        value: "FILTER",
        summary:
          "only boxes with a label: label=NAME or label=NAME=VALUE (repeatable, all must hold)",
        many: true,
      },
    ],
    examples: [
      { command: "box ls", summary: "A table" },
      { command: "box ls --filter label=tier=front", summary: "Those with a label" },
      { command: "box ls -q", summary: "Only the names" },
    ],
    failures: ["io", "denied"],
    mutates: false,
    schemas: () => import("./ls/schemas.ts"),
    action: () => import("./ls/action.ts"),
  }),
  defineCommand({
    path: ["inspect"],
    summary: "show everything about a box: disks, environment, operations, history",
    args: [{ name: "name", summary: "the box", complete: "boxes" }],
    flags: [],
    examples: [{ command: "box inspect web --format json", summary: "For programs" }],
    failures: ["not-found", "io"],
    mutates: false,
    schemas: () => import("./inspect/schemas.ts"),
    action: () => import("./inspect/action.ts"),
  }),
  defineCommand({
    path: ["rm"],
    summary: "remove boxes with their disks; bases and images stay",
    args: [{ name: "names", summary: "the boxes", many: true, complete: "boxes" }],
    flags: [{ name: "force", short: "f", summary: "a box that does not exist is no error" }],
    examples: [
      { command: "box rm web db", summary: "Two boxes" },
      { command: "box rm -f web", summary: "Whether or not it exists" },
    ],
    failures: ["not-found", "in-use", "io"],
    mutates: true,
    schemas: () => import("./rm/schemas.ts"),
    action: () => import("./rm/action.ts"),
  }),
];

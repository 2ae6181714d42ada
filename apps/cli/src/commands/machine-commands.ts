import { type CommandSpec, defineCommand, type FlagSpec } from "../command/define-command.ts";
import { execFlags } from "../machines/exec-flag-specs.ts";
import { netFlag, programFlags, publishFlag, pullFlag, volumeFlag } from "./box-commands.ts";

const graceFlag: FlagSpec = {
  name: "grace",
  value: "DURATION",
  summary: "how long the box may take to end by itself; 0 asks it not at all (default: 10s)",
};

const coldFlag: FlagSpec = {
  name: "cold",
  summary:
    "boot also where the machine could go on from a template, the saved state of one that has booted",
};

/** What exit codes of commands in boxes mean. */
const runExitCodes: Readonly<Record<number, string>> = {
  125: "box failed before the command ran",
  126: "the command may not be run",
  127: "there is no such command in the box",
};

/** Commands about machines of boxes. */
export const machineCommands: readonly CommandSpec[] = [
  defineCommand({
    path: ["run"],
    summary: "make a box, boot it, and run a command in it",
    description:
      "Ends with the exit code of the command; 128 and the number of the signal that ended it.\nThe box stops with its command, and with box itself; --detach leaves it running.\nThe command takes the place of the image's own, as the arguments of its entry point if it has one.",
    args: [
      { name: "ref", summary: "the image", complete: "images" },
      {
        name: "command",
        summary: "the program and its arguments, after --",
        optional: true,
        many: true,
      },
    ],
    flags: [
      ...execFlags,
      ...programFlags,
      { name: "detach", short: "d", summary: "leave the box running and print its name" },
      { name: "rm", summary: "the box goes away when it has stopped" },
      coldFlag,
      { name: "name", value: "NAME", summary: "name of the box (default: one is made up)" },
      publishFlag,
      netFlag,
      volumeFlag,
      {
        name: "memory",
        short: "m",
        value: "SIZE",
        summary: "memory in MiB, or with a unit such as 512m (default: 256)",
      },
      { name: "cpus", value: "N", summary: "processors (default: 1)" },
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
      pullFlag,
    ],
    examples: [
      { command: "box run --rm debian:bookworm -- uname -a", summary: "One command" },
      { command: "box run --rm -i -t alpine -- /bin/sh", summary: "A shell in this terminal" },
      { command: "box run --rm --net alpine -- apk add curl", summary: "With a network" },
      { command: "box run -d --name web nginx", summary: "In the background" },
    ],
    failures: [
      "not-found",
      "conflict",
      "corrupt",
      "io",
      "network",
      "auth",
      "unsupported",
      "timeout",
    ],
    exitCodes: runExitCodes,
    mutates: true,
    schemas: () => import("./run/schemas.ts"),
    action: () => import("./run/action.ts"),
  }),
  defineCommand({
    path: ["start"],
    summary: "start a box: judge its disks, boot its machine, make its guest ready",
    description: "A box that runs is reached. The machine outlives this command.",
    args: [{ name: "name", summary: "the box", complete: "boxes" }],
    flags: [
      {
        name: "recreate-disk",
        summary: "make the box's own disk again if it is damaged or gone: its data is lost",
      },
      coldFlag,
    ],
    examples: [{ command: "box start web", summary: "In the background" }],
    failures: ["not-found", "in-use", "corrupt", "io", "unsupported", "backing-missing", "timeout"],
    mutates: true,
    schemas: () => import("./start/schemas.ts"),
    action: () => import("./start/action.ts"),
  }),
  defineCommand({
    path: ["stop"],
    summary: "stop a box: ask its guest, then end its machine",
    args: [{ name: "name", summary: "the box", complete: "boxes" }],
    flags: [graceFlag],
    examples: [
      { command: "box stop web", summary: "Its disks are written and unmounted" },
      { command: "box stop web --grace 0", summary: "At once" },
    ],
    failures: ["not-found", "in-use", "io"],
    mutates: true,
    schemas: () => import("./stop/schemas.ts"),
    action: () => import("./stop/action.ts"),
  }),
  defineCommand({
    path: ["restart"],
    summary: "stop a box when it runs, and start it",
    args: [{ name: "name", summary: "the box", complete: "boxes" }],
    flags: [graceFlag, coldFlag],
    examples: [{ command: "box restart web", summary: "As one operation" }],
    failures: ["not-found", "in-use", "corrupt", "io", "unsupported", "backing-missing", "timeout"],
    mutates: true,
    schemas: () => import("./restart/schemas.ts"),
    action: () => import("./restart/action.ts"),
  }),
  defineCommand({
    path: ["exec"],
    summary: "run a command in a box that runs",
    description:
      "Ends with the exit code of the command; 128 and the number of the signal that ended it.",
    args: [
      { name: "name", summary: "the box", complete: "boxes" },
      { name: "command", summary: "the program and its arguments, after --", many: true },
    ],
    flags: execFlags,
    examples: [
      { command: "box exec web -- ls -l /", summary: "Its output" },
      { command: "box exec -i -t web -- /bin/sh", summary: "A shell in this terminal" },
      { command: "box exec -u www-data -e A=b web -- id", summary: "As somebody else" },
    ],
    failures: ["not-found", "conflict", "io", "timeout"],
    exitCodes: runExitCodes,
    mutates: true,
    schemas: () => import("./exec/schemas.ts"),
    action: () => import("./exec/action.ts"),
  }),
  defineCommand({
    path: ["wait"],
    summary: "wait until a box has stopped, and print the exit code of its program",
    args: [{ name: "name", summary: "the box", complete: "boxes" }],
    flags: [],
    examples: [{ command: "box wait web", summary: "Then its exit code, or why it ended" }],
    failures: ["not-found", "conflict", "io"],
    mutates: true,
    schemas: () => import("./wait/schemas.ts"),
    action: () => import("./wait/action.ts"),
  }),
  defineCommand({
    path: ["doctor"],
    summary: "look at whether boxes can be started here, and what to install",
    args: [],
    flags: [],
    examples: [{ command: "box doctor", summary: "QEMU, a kernel, the agent, acceleration" }],
    failures: ["unsupported"],
    exitCodes: { 9: "boxes cannot be started here" },
    mutates: false,
    schemas: () => import("./doctor/schemas.ts"),
    action: () => import("./doctor/action.ts"),
  }),
];

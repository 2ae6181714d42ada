import { type CommandSpec, defineCommand } from "../command/define-command.ts";
import { publishFlag } from "./box-commands.ts";

/** Commands about the program of a box, and about what goes into a box and comes out of it. */
export const machineStreamCommands: readonly CommandSpec[] = [
  defineCommand({
    path: ["logs"],
    summary: "print what the program of a box has written",
    description:
      "That of boxes whose program is their own, as box run -d makes them; at most the last 2 MiB are kept.\nWhat commands of box exec write is not kept.",
    args: [{ name: "name", summary: "the box", complete: "boxes" }],
    flags: [
      { name: "follow", short: "f", summary: "go on with what is added, until the box stops" },
      { name: "tail", value: "N", summary: "only the last N lines, or all (default: all)" },
      { name: "console", summary: "what its kernel and its agent said, in place of the program" },
    ],
    examples: [
      { command: "box logs web", summary: "Everything that is kept" },
      { command: "box logs -f --tail 10 web", summary: "Ten lines, and what is added" },
      { command: "box logs --console web", summary: "Why it does not boot" },
    ],
    failures: ["not-found", "io"],
    mutates: false,
    schemas: () => import("./logs/schemas.ts"),
    action: () => import("./logs/action.ts"),
  }),
  defineCommand({
    path: ["kill"],
    summary: "send a signal to the program of a box",
    description:
      "SIGKILL ends the box whatever state it is in: where it reaches no program, the machine itself is killed,\nand what its guest has not written to its disks is lost. Other signals need a program.",
    args: [{ name: "name", summary: "the box", complete: "boxes" }],
    flags: [
      {
        name: "signal",
        short: "s",
        value: "SIGNAL",
        summary: "such as HUP, SIGHUP or 1 (default: KILL)",
      },
    ],
    examples: [
      { command: "box kill web", summary: "At once" },
      { command: "box kill -s HUP web", summary: "Read your configuration again" },
    ],
    failures: ["not-found", "conflict", "in-use", "io", "timeout"],
    mutates: true,
    schemas: () => import("./kill/schemas.ts"),
    action: () => import("./kill/action.ts"),
  }),
  defineCommand({
    path: ["cp"],
    summary: "copy files between this host and a box that runs",
    description:
      "One of both is BOX:PATH, and the other a path of this host, or - for a tar archive on stdin or stdout.\nWhat is copied goes into a folder that is there, else in its place; DIR/. is what is in DIR.\nFiles keep their modes and times, and belong to root in a box. What comes out of a box is written below the\nplace that it is copied to and nowhere else: no link is followed, and set-id bits are dropped.\nExtended attributes are not copied, access control lists and capabilities of files among them.",
    args: [
      { name: "source", summary: "what is copied: BOX:PATH, a path or -", complete: "files" },
      { name: "target", summary: "where to: a path, - or BOX:PATH", complete: "files" },
    ],
    flags: [
      { name: "archive", short: "a", summary: "files keep their owners; on this host as root" },
      { name: "follow-link", short: "L", summary: "follow a link that SOURCE is" },
    ],
    examples: [
      { command: "box cp ./site web:/var/www", summary: "Into a box" },
      { command: "box cp web:/etc/nginx ./nginx", summary: "Out of one" },
      { command: "box cp - web:/srv", summary: "An archive that is piped in" },
    ],
    failures: ["not-found", "conflict", "corrupt", "io", "denied", "limit", "timeout"],
    mutates: true,
    schemas: () => import("./cp/schemas.ts"),
    action: () => import("./cp/action.ts"),
  }),
  defineCommand({
    path: ["attach"],
    summary: "connect this terminal to the program of a box",
    description:
      "Output comes from now on; box logs has what came before. What is typed or piped in reaches a program that was\nstarted with -i; its input stays open when this ends. With a terminal on both sides (-t), the detach keys leave the\nprogram alone; else Ctrl-C goes to it as SIGINT, and twice within a second leaves it (once with --output-only). Ends with the exit code of the program, or 0 when it was left.",
    args: [{ name: "name", summary: "the box", complete: "boxes" }],
    flags: [
      { name: "output-only", summary: "send nothing to the program" },
      {
        name: "detach-keys",
        value: "KEYS",
        summary: "keys that leave the program (default: ctrl-p,ctrl-q)",
      },
    ],
    examples: [
      { command: "box attach web", summary: "Until it ends" },
      { command: "box attach --detach-keys ctrl-x web", summary: "Leave it with Ctrl-X" },
    ],
    failures: ["not-found", "conflict", "io", "timeout"],
    exitCodes: { 125: "box failed, not the program" },
    mutates: true,
    schemas: () => import("./attach/schemas.ts"),
    action: () => import("./attach/action.ts"),
  }),
  defineCommand({
    path: ["port"],
    summary: "list the forwarded ports of a box that runs, or forward more",
    description:
      "Connections go over the agent to the box's loopback: no network card is needed. What box port adds is\nforwarded until the box stops; what box run -p names, whenever it runs. HOST 0 or left out: the system chooses.",
    args: [{ name: "name", summary: "the box", complete: "boxes" }],
    flags: [publishFlag],
    examples: [
      { command: "box port web", summary: "What is forwarded" },
      { command: "box port web -p 8080:80", summary: "One more" },
    ],
    failures: ["not-found", "conflict", "in-use", "io", "timeout"],
    mutates: true,
    schemas: () => import("./port/schemas.ts"),
    action: () => import("./port/action.ts"),
  }),
  defineCommand({
    path: ["stats"],
    summary: "show what boxes use: processors, memory, disks",
    description:
      "CPU, MEMORY and DISK as their guests tell them; READ and WRITTEN since their start, and ON HOST as QEMU and\nthis host do. CPU is the share of one processor during half a second.\nThey are shown once; watch box stats shows them again and again.",
    args: [
      {
        name: "names",
        summary: "the boxes (default: all that run)",
        optional: true,
        many: true,
        complete: "boxes",
      },
    ],
    flags: [],
    examples: [
      { command: "box stats", summary: "A table" },
      { command: "box stats web --format json", summary: "For programs" },
    ],
    failures: ["not-found", "conflict", "io", "timeout"],
    mutates: false,
    schemas: () => import("./stats/schemas.ts"),
    action: () => import("./stats/action.ts"),
  }),
];

import { type CommandSpec, defineCommand } from "../command/define-command.ts";

/** Commands about the space of a home. */
export const storageCommands: readonly CommandSpec[] = [
  defineCommand({
    path: ["df"],
    summary: "show where the space goes: images, bases, boxes, quarantine and templates",
    description:
      "LOGICAL counts holes, ALLOCATED does not. SHARED is used by several images or boxes, UNIQUE by one; RECLAIMABLE comes\nback with box prune. Templates are in the cache folder of this user, for all homes.",
    args: [],
    flags: [{ name: "verbose", short: "v", summary: "every image, base and box, and who uses it" }],
    examples: [
      { command: "box df", summary: "The sums" },
      { command: "box df -v", summary: "One by one" },
    ],
    failures: ["corrupt", "io"],
    mutates: false,
    schemas: () => import("./df/schemas.ts"),
    action: () => import("./df/action.ts"),
  }),
  defineCommand({
    path: ["prune"],
    summary: "remove what nothing uses: bases, blobs of images, temporary files",
    description:
      "What a box, a running command or a quarantined disk uses stays, and so do blobs of the last hour; the reasons are\nshown.",
    args: [],
    flags: [
      {
        name: "templates",
        summary:
          "remove the saved states that boxes go on from too, for all homes: the next boxes boot",
      },
      { name: "dry-run", short: "n", summary: "remove nothing, show what would go" },
      {
        name: "quarantine-older-than",
        value: "AGE",
        summary: "remove quarantined disks from this age on, such as 30d: their data is lost",
      },
    ],
    examples: [
      { command: "box prune --dry-run", summary: "What would go, and why the rest stays" },
      { command: "box prune --quarantine-older-than 30d", summary: "Old quarantined disks too" },
    ],
    failures: ["corrupt", "io"],
    mutates: true,
    schemas: () => import("./prune/schemas.ts"),
    action: () => import("./prune/action.ts"),
  }),
];

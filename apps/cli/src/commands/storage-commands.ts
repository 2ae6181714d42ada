import { type CommandSpec, defineCommand } from "../command/define-command.ts";

/** Commands about the space of a home. */
export const storageCommands: readonly CommandSpec[] = [
  defineCommand({
    path: ["df"],
    summary: "show where the space goes: images, bases, boxes and quarantine",
    description:
      "LOGICAL is the size of the files, holes included; ALLOCATED what they occupy. SHARED is used by several images or\nboxes, UNIQUE by one; RECLAIMABLE comes back with box prune. Blocks that files share below the file system\n(reflinks) count in each.",
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
      "Removes base disks that no box is on, blobs that no image leads to (those of the last hour stay), temporary files\nof dead processes, and with --quarantine-older-than damaged disks that were moved aside. What a box, a running\ncommand or a quarantined disk uses stays, and the reason is shown.",
    args: [],
    flags: [
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

import type { FlagSpec } from "./define-command.ts";

/** The flags that every command takes, before or after its name. */
export const globalFlags: readonly FlagSpec[] = [
  {
    name: "home",
    value: "DIR",
    summary: "where boxes, images and disks are kept (default: $XDG_DATA_HOME/box)",
    env: "BOX_HOME",
    complete: "directories",
  },
  {
    name: "format",
    value: "FORMAT",
    summary: "how the result and errors are printed: text or json (some commands offer more)",
    choices: ["text", "json"],
  },
  {
    name: "progress",
    value: "MODE",
    summary: "how progress is shown on stderr",
    choices: ["auto", "tty", "plain", "json", "none"],
    env: "BOX_PROGRESS",
  },
  { name: "no-color", summary: "no colours; the same as the environment variable NO_COLOR" },
  {
    name: "quiet",
    short: "q",
    summary: "print only names or digests (with --format json all of it), and no progress",
  },
  {
    name: "insecure",
    value: "HOST",
    summary: "talk plain HTTP to this registry, besides those on loopback (repeatable)",
    many: true,
  },
  {
    name: "limit",
    value: "NAME=VALUE",
    summary: "another limit for images and registries, such as layers=2000 (repeatable)",
    many: true,
  },
  {
    name: "log-level",
    value: "LEVEL",
    summary: "the least important message to show on stderr (default: info)",
    choices: ["error", "warn", "info", "debug"],
  },
  { name: "timeout", value: "DURATION", summary: "give up after this time, such as 30s or 5m" },
];

import type { LogLevel } from "../command/global-values.ts";
import type { Paint } from "../output/paint.ts";
import { formatSize } from "../output/table.ts";
import { visible } from "../output/visible.ts";
import type { ShownEvent } from "./shown-event.ts";

const rank: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 };

/** Whether a message of one level is shown when messages down to another are. */
export function isShown(level: LogLevel, shownLevel: LogLevel): boolean {
  return rank[level] <= rank[shownLevel];
}

/** How important an event is; `undefined` for those that only move a progress line. */
export function levelOf(event: ShownEvent): LogLevel | undefined {
  switch (event.type) {
    case "warning":
    case "retried":
      return "warn";
    case "info":
    case "cached":
    case "finished":
      return "info";
    case "started":
    case "failed":
    case "cancelled":
      return "debug";
    case "progress":
      return undefined;
    default:
      if (event.level === "warning") return "warn";
      // The error that ends the command says the same.
      return event.message === undefined || event.level === "error" ? "debug" : "info";
  }
}

/** An event as one line for people. */
export function describeEvent(event: ShownEvent, paint: Paint): string {
  const task = visible(event.task ?? "box");
  const message = visible(event.message ?? "");
  if (event.type === "warning" || event.level === "warning") {
    const label = event.code === undefined ? "warning" : `warning[${visible(event.code)}]`;
    return `${paint.yellow(label)}: ${message}`;
  }
  switch (event.type) {
    case "retried": {
      const reason = event.error === undefined ? "" : `: ${visible(event.error.message)}`;
      return `${paint.yellow("retrying")} ${task} in ${formatDuration(event.delayMs ?? 0)}${reason}`;
    }
    case "cached":
      return `${paint.dim("cached")} ${message}`;
    case "finished":
      return `${paint.green("done")} ${task} in ${formatDuration(event.durationMs ?? 0)}`;
    case "failed":
      return `${paint.red("failed")} ${task}`;
    case "info":
      return message;
    default:
      return message === "" ? `${visible(event.type)} ${task}` : message;
  }
}

/** How far a task or an item has come, such as `pull sha256:0a1b: 3 MiB of 12 MiB`. */
export function describeProgress(event: ShownEvent): string {
  const item = event.item === undefined ? "" : ` ${shortDigest(visible(event.item))}`;
  const amount = (value: number) =>
    event.unit === "bytes"
      ? formatSize(value)
      : `${value}${event.unit ? ` ${visible(event.unit)}` : ""}`;
  const total = event.total === undefined ? "" : ` of ${amount(event.total)}`;
  return `${visible(event.task ?? "box")}${item}: ${amount(event.done ?? 0)}${total}`;
}

/** A duration for people, such as `350 ms` or `1.5 s`. */
export function formatDuration(durationMs: number): string {
  return durationMs < 1000 ? `${Math.round(durationMs)} ms` : `${(durationMs / 1000).toFixed(1)} s`;
}

function shortDigest(text: string): string {
  return text.replace(/^(sha\d+:[0-9a-f]{12})[0-9a-f]{20,}$/, "$1");
}

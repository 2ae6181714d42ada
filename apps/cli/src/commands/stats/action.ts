import { setTimeout as delay } from "node:timers/promises";
import type { Runtime } from "@box/runtime";
import { openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { formatSize, formatTable } from "../../output/table.ts";
import type { BoxStatsOutput, StatsInput } from "./schemas.ts";

/** How long processors are watched. */
const watchedMs = 500;

/** Looks at what boxes use. */
export async function run(
  { names = [] }: StatsInput,
  context: CommandContext,
): Promise<readonly BoxStatsOutput[]> {
  await using runtime = await openRuntime(context);
  const chosen = names.length > 0 ? names : await runningBoxes(runtime);
  const { signal } = context;
  return await Promise.all(chosen.map((name) => statsOf(runtime, name, signal)));
}

/** A table. */
export function text(boxes: readonly BoxStatsOutput[]): string {
  const heading = ["NAME", "CPU", "MEMORY", "DISK", "READ", "WRITTEN", "ON HOST"];
  const rows = boxes.map(({ name, cpuPercent, guest, host }) => [
    name,
    `${cpuPercent.toFixed(1)}%`,
    `${formatSize(guest.usedMemoryBytes)} / ${formatSize(guest.memoryBytes)}`,
    `${formatSize(guest.usedDiskBytes)} / ${formatSize(guest.diskBytes)}`,
    formatSize(host.readBytes),
    formatSize(host.writtenBytes),
    host.memoryBytes === undefined ? "?" : formatSize(host.memoryBytes),
  ]);
  return formatTable(heading, rows);
}

/** Their names. */
export function identifiers(boxes: readonly BoxStatsOutput[]): readonly string[] {
  return boxes.map(({ name }) => name);
}

async function runningBoxes({ boxes }: Runtime): Promise<readonly string[]> {
  const all = await boxes.list();
  return all.filter(({ state }) => state === "running").map(({ name }) => name);
}

async function statsOf(
  { boxes }: Runtime,
  name: string,
  signal: AbortSignal,
): Promise<BoxStatsOutput> {
  const before = await boxes.stats(name, { signal });
  await delay(watchedMs, undefined, { signal });
  const { guest, host } = await boxes.stats(name, { signal });
  const passedMs = guest.uptimeMs - before.guest.uptimeMs;
  const worked = guest.cpuMs - before.guest.cpuMs;
  return { name, cpuPercent: passedMs > 0 ? (worked / passedMs) * 100 : 0, guest, host };
}

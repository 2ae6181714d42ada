import { existsSync } from "node:fs";
import type { StorageUsage, Usage, UsageGroup } from "@box/runtime";
import { openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { measureTemplates } from "../../machines/templates.ts";
import { formatSize, formatTable } from "../../output/table.ts";
import type { DfInput, DfOutput } from "./schemas.ts";

/** Measures the home, and the templates of this user. One that does not exist holds nothing, and looking does not make it. */
export async function run(
  { verbose = false }: DfInput,
  context: CommandContext,
): Promise<DfOutput> {
  const templates = await measureTemplates(context);
  const usage = await usageOfHome(context);
  return { verbose, ...usage, templates, total: add(usage.total, templates) };
}

async function usageOfHome(context: CommandContext): Promise<StorageUsage> {
  if (!existsSync(context.home)) return emptyHome;
  await using runtime = await openRuntime(context);
  return await runtime.storage.usage();
}

function add(one: Usage, other: Usage): Usage {
  return {
    logicalBytes: one.logicalBytes + other.logicalBytes,
    allocatedBytes: one.allocatedBytes + other.allocatedBytes,
    sharedBytes: one.sharedBytes + other.sharedBytes,
    uniqueBytes: one.uniqueBytes + other.uniqueBytes,
    reclaimableBytes: one.reclaimableBytes + other.reclaimableBytes,
  };
}

/** A table of the groups; of every item too when that was asked for. */
export function text(output: DfOutput): string {
  const groups = groupNames.map((name) => [name, output[name]] as const);
  const summary = formatTable(
    ["KIND", "ITEMS", ...usageHeading],
    [
      ...groups.map(([name, group]) => [name, String(group.items.length), ...usageCells(group)]),
      ["total", "", ...usageCells(output.total)],
    ],
  );
  if (!output.verbose) return summary;
  const rows = groups.flatMap(([name, { items }]) =>
    items.map((item) => [name, ...usageCells(item), item.name, item.usedBy.join(", ") || "nobody"]),
  );
  return `${summary}\n\n${formatTable(["KIND", ...usageHeading, "NAME", "USED BY"], rows)}`;
}

const groupNames = ["images", "bases", "boxes", "quarantine", "temporary", "templates"] as const;
const usageHeading = ["LOGICAL", "ALLOCATED", "SHARED", "UNIQUE", "RECLAIMABLE"];

function usageCells(usage: Usage): readonly string[] {
  const { logicalBytes, allocatedBytes, sharedBytes, uniqueBytes, reclaimableBytes } = usage;
  return [logicalBytes, allocatedBytes, sharedBytes, uniqueBytes, reclaimableBytes].map(formatSize);
}

const nothing: Usage = {
  logicalBytes: 0,
  allocatedBytes: 0,
  sharedBytes: 0,
  uniqueBytes: 0,
  reclaimableBytes: 0,
};
const noItems: UsageGroup = { ...nothing, items: [] };
const emptyHome: StorageUsage = {
  total: nothing,
  images: noItems,
  bases: noItems,
  boxes: noItems,
  quarantine: noItems,
  temporary: noItems,
};

import { existsSync } from "node:fs";
import type { PruneReport } from "@box/runtime";
import { openRuntime } from "../../boxes/open-runtime.ts";
import { parseAge } from "../../command/age.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { clearTemplates, findTemplates, templatePath } from "../../machines/templates.ts";
import { formatSize, formatTable } from "../../output/table.ts";
import type { PruneInput, PruneOutput } from "./schemas.ts";

/** Removes what nothing uses. A home that does not exist has nothing, and is not made. */
export async function run(
  { dryRun = false, quarantineOlderThan, templates = false }: PruneInput,
  context: CommandContext,
): Promise<PruneOutput> {
  const quarantineOlderThanMs =
    quarantineOlderThan === undefined
      ? undefined
      : parseAge(quarantineOlderThan, "--quarantine-older-than");
  const report = await pruneHome({ dryRun, quarantineOlderThanMs }, context);
  if (!templates) return report;
  const found = (await findTemplates(context)).map((template) => ({
    kind: "template" as const,
    name: templatePath(context, template),
    bytes: template.lengthBytes,
    reason: "the next box of its shape boots, and is saved",
  }));
  if (!dryRun) await clearTemplates(context);
  const freedBytes = found.reduce((sum, { bytes }) => sum + bytes, report.freedBytes);
  return { ...report, removed: [...report.removed, ...found], freedBytes };
}

async function pruneHome(
  { dryRun, quarantineOlderThanMs }: { dryRun: boolean; quarantineOlderThanMs: number | undefined },
  context: CommandContext,
): Promise<PruneReport> {
  if (!existsSync(context.home)) return { dryRun, removed: [], kept: [], freedBytes: 0 };
  await using runtime = await openRuntime(context);
  return await runtime.storage.prune({
    dryRun,
    signal: context.signal,
    ...(quarantineOlderThanMs === undefined ? {} : { quarantineOlderThanMs }),
  });
}

/** A line for everything that was looked at, with the reason, and the sum. */
export function text({ dryRun, removed, kept, freedBytes }: PruneOutput): string {
  const verdict = dryRun ? "would go" : "removed";
  const rows = [
    ...removed.map(({ kind, name, bytes, reason }) => [
      verdict,
      kind,
      formatSize(bytes),
      name,
      reason,
    ]),
    ...kept.map(({ kind, name, bytes, reasons }) => {
      return ["kept", kind, formatSize(bytes), name, reasons.join(", ")];
    }),
  ];
  const sum = `${dryRun ? "would free" : "freed"} ${formatSize(freedBytes)}`;
  if (rows.length === 0) return sum;
  return `${formatTable(["", "KIND", "SIZE", "NAME", "WHY"], rows)}\n${sum}`;
}

/** The names of what is gone, or would be. */
export function identifiers({ removed }: PruneOutput): readonly string[] {
  return removed.map(({ name }) => name);
}

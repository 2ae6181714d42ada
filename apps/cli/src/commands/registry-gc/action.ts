import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { FolderRegistryStorage } from "@box/oras/registry-server";
import { parseAge } from "../../command/age.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { CliError } from "../../errors.ts";
import { formatSize, formatTable } from "../../output/table.ts";
import type { RegistryGcInput, RegistryGcOutput } from "./schemas.ts";

/** Removes what nothing in a registry's folder leads to. */
export async function run(
  { dir, grace, untagged = false, dryRun = false }: RegistryGcInput,
  context: CommandContext,
): Promise<RegistryGcOutput> {
  if (dir === undefined) throw invalid("--dir", "say which folder");
  const folder = resolve(context.cwd, dir);
  // Opening one would make it.
  if (!existsSync(join(folder, "uploads"))) {
    throw invalid("--dir", `${folder} is not the folder of a registry`);
  }
  const graceMs = grace === undefined ? undefined : parseAge(grace, "--grace");
  const nowMs = Date.now();
  // Opening it removes uploads that were abandoned; a dry run is to leave them.
  const openedMs = dryRun ? 0 : nowMs;
  const storage = await FolderRegistryStorage.open(folder, openedMs, {
    command: "box registry gc",
  });
  try {
    const collected = await storage.collectGarbage({
      nowMs,
      dryRun,
      untagged: untagged ? "remove" : "keep",
      signal: context.signal,
      ...(graceMs === undefined ? {} : { graceMs }),
    });
    const progress = await context.progress();
    for (const { repository, message } of collected.damaged) {
      const kept = `nothing is taken from ${repository}: ${message}`;
      progress.event({ type: "warning", task: "registry", message: kept });
    }
    return { dryRun, ...collected };
  } finally {
    await storage.close();
  }
}

/** A line for everything that went, and the sum. */
export function text({ dryRun, manifests, blobs, freedBytes }: RegistryGcOutput): string {
  const verdict = dryRun ? "would go" : "removed";
  const rows = [
    ...manifests.map(({ repository, digest }) => [
      verdict,
      "manifest",
      "",
      `${repository}@${digest}`,
    ]),
    ...blobs.map(({ digest, size }) => [verdict, "blob", formatSize(size), digest]),
  ];
  const sum = `${dryRun ? "would free" : "freed"} ${formatSize(freedBytes)}`;
  if (rows.length === 0) return sum;
  return `${formatTable(["", "KIND", "SIZE", "NAME"], rows)}\n${sum}`;
}

/** The digests of the content that is gone, or would be. */
export function identifiers({ blobs }: RegistryGcOutput): readonly string[] {
  return blobs.map(({ digest }) => digest);
}

function invalid(label: string, why: string): CliError {
  return new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `box registry gc: ${label}: ${why}`,
    hint: "run: box registry gc --help",
  });
}

import { existsSync } from "node:fs";
import { kindOutcomes } from "@box/errors";
import { openImages } from "../../boxes/open-images.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { flatMemory } from "../../host/flat-memory.ts";
import { visible } from "../../output/visible.ts";
import type { VerifyInput, VerifyOutput } from "./schemas.ts";

/** Verifies every blob. A home that does not exist has none, and is not made. */
export async function run(
  { deep = false, repair = false }: VerifyInput,
  context: CommandContext,
): Promise<VerifyOutput> {
  if (!existsSync(context.home)) return { isSound: true, findings: [] };
  using _memory = flatMemory();
  const store = await openImages(context);
  const progress = await context.progress();
  const findings = await store.verify({
    deep,
    repair,
    signal: context.signal,
    onProgress: (item, done, total) =>
      progress.event({ type: "progress", task: "verify", item, done, total, unit: "bytes" }),
  });
  return { isSound: findings.length === 0, findings };
}

/** One line for each finding, and the verdict. */
export function text({ isSound, findings }: VerifyOutput): string {
  const lines = findings.map(({ digest, code, message, isRemoved }) => {
    const note = isRemoved ? "; it was taken away: pull the image again" : "";
    return `${digest}: ${code}: ${visible(message)}${note}`;
  });
  return [...lines, isSound ? "sound" : "damaged"].join("\n");
}

/** The damaged and missing blobs. */
export function identifiers({ findings }: VerifyOutput): readonly string[] {
  return findings.map(({ digest }) => digest);
}

/** That of something corrupt when anything is wrong. */
export function exitCode({ isSound }: VerifyOutput): number {
  return isSound ? 0 : kindOutcomes.corrupt.exitCode;
}

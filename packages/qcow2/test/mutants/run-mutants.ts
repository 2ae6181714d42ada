import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { qemuCheckLater, temporaryFolder } from "../support/qemu.ts";
import { differenceOf, differenceRules } from "./differences.ts";
import { mutate, seededRandom } from "./mutate.ts";
import { makeSeedImages, type SeedImage } from "./seed-images.ts";
import { ourVerdict } from "./verdict.ts";

/** What came of a run over mutants. */
export interface MutantSummary {
  /** Mutants that were checked. */
  run: number;
  /** Mutants on which both agree, in the verdict and, where QEMU counts, in every counter. */
  agree: number;
  /** Mutants for which QEMU printed counters. */
  counted: number;
  /** Of these, those with equal counters. */
  sameCounters: number;
  /** Differences that a rule explains, by rule. */
  readonly byRule: Record<string, number>;
  /** Differences that no rule explains. */
  readonly unexplained: string[];
  /** The longest check of ours, in milliseconds. */
  slowestMs: number;
  /** Which mutant took it. */
  slowest: string;
}

/** How many mutants, and which. */
export interface MutantOptions {
  /** Number of mutants. */
  readonly count: number;
  /** Chooses them; the same seed gives the same ones. */
  readonly seed: number;
  /** Checks of QEMU that run at once. */
  readonly parallel?: number;
}

/** Makes mutants of every seed image in turn and compares what we say with what QEMU says. */
export async function runMutants(options: MutantOptions): Promise<MutantSummary> {
  using folder = temporaryFolder();
  const seeds = makeSeedImages(folder.path);
  const summary: MutantSummary = {
    run: 0,
    agree: 0,
    counted: 0,
    sameCounters: 0,
    byRule: {},
    unexplained: [],
    slowestMs: 0,
    slowest: "",
  };
  let next = 0;
  const worker = async () => {
    while (next < options.count) {
      const index = next++;
      const seed = seeds[index % seeds.length] as SeedImage;
      await runMutant(folder.path, seed, options.seed * 1_000_003 + index, summary);
    }
  };
  await Promise.all(Array.from({ length: options.parallel ?? 4 }, worker));
  return summary;
}

async function runMutant(
  folder: string,
  { name, bytes: image }: SeedImage,
  seed: number,
  summary: MutantSummary,
): Promise<void> {
  const { bytes, change } = mutate(image, seededRandom(seed));
  const filename = `mutant-${seed}.qcow2`;
  writeFileSync(join(folder, filename), bytes, { mode: 0o444 });
  const running = qemuCheckLater(folder, ["-f", "qcow2", filename]);
  const start = performance.now();
  const ours = await ourVerdict(bytes, filename);
  const elapsedMs = performance.now() - start;
  if (elapsedMs > summary.slowestMs) {
    summary.slowestMs = Math.round(elapsedMs);
    summary.slowest = `seed ${seed}, ${name}, ${change}`;
  }
  const theirs = await running;
  rmSync(join(folder, filename));
  const difference = differenceOf(ours, theirs);
  summary.run++;
  if (ours.json !== undefined && theirs.json !== undefined) {
    summary.counted++;
    if (difference?.startsWith("counters") !== true) summary.sameCounters++;
  }
  if (difference === undefined) {
    summary.agree++;
    return;
  }
  const rule = differenceRules.find(({ explains }) => explains(ours, theirs));
  if (rule !== undefined) {
    summary.byRule[rule.name] = (summary.byRule[rule.name] ?? 0) + 1;
    return;
  }
  const first = ours.error?.message ?? ours.report?.findings[0]?.message ?? "nothing";
  const codes = [...new Set(ours.report?.findings.map(({ code }) => code))].join(" ");
  summary.unexplained.push(
    `seed ${seed}, ${name}, ${change}: ${difference}; we find: ${first} (${codes}); QEMU finds: ${theirs.messages.slice(0, 400)}`,
  );
}

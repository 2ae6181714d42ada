import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type QemuCheck, temporaryFolder } from "../support/qemu.ts";
import { qemuCheckAll } from "../support/qemu-batch.ts";
import { differenceOf, differenceRules } from "./differences.ts";
import { mutate, seededRandom } from "./mutate.ts";
import { makeSeedImages, type SeedImage } from "./seed-images.ts";
import { type OurVerdict, ourVerdict } from "./verdict.ts";

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
}

/** Mutants that one process checks, so that starting it hardly counts. */
const batchMutants = 50;
const batchesAtOnce = 2;

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
      const first = next;
      next = Math.min(options.count, first + batchMutants);
      const batch = Array.from({ length: next - first }, (_, position) => {
        const index = first + position;
        const image = seeds[index % seeds.length] as SeedImage;
        return makeMutant(folder.path, image, options.seed * 1_000_003 + index);
      });
      await judgeBatch(folder.path, batch, summary);
    }
  };
  await Promise.all(Array.from({ length: batchesAtOnce }, worker));
  return summary;
}

/** A mutant that lies in the folder. */
interface WrittenMutant {
  readonly filename: string;
  readonly bytes: Uint8Array;
  /** Where it comes from and what was changed. */
  readonly label: string;
}

function makeMutant(
  folder: string,
  { name, bytes: image }: SeedImage,
  seed: number,
): WrittenMutant {
  const { bytes, change } = mutate(image, seededRandom(seed));
  const filename = `mutant-${seed}.qcow2`;
  writeFileSync(join(folder, filename), bytes, { mode: 0o444 });
  return { filename, bytes, label: `seed ${seed}, ${name}, ${change}` };
}

async function judgeBatch(
  folder: string,
  batch: readonly WrittenMutant[],
  summary: MutantSummary,
): Promise<void> {
  const filenames = batch.map(({ filename }) => filename);
  const running = qemuCheckAll(folder, filenames);
  const ours: OurVerdict[] = [];
  for (const mutant of batch) ours.push(await timedVerdict(mutant, summary));
  const theirs = await running;
  for (const [index, { filename, label }] of batch.entries()) {
    rmSync(join(folder, filename));
    compare(label, ours[index] as OurVerdict, theirs[index] as QemuCheck, summary);
  }
}

async function timedVerdict(
  { bytes, filename, label }: WrittenMutant,
  summary: MutantSummary,
): Promise<OurVerdict> {
  const start = performance.now();
  const verdict = await ourVerdict(bytes, filename);
  const elapsedMs = performance.now() - start;
  if (elapsedMs > summary.slowestMs) {
    summary.slowestMs = Math.round(elapsedMs);
    summary.slowest = label;
  }
  return verdict;
}

function compare(label: string, ours: OurVerdict, theirs: QemuCheck, summary: MutantSummary): void {
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
    `${label}: ${difference}; we find: ${first} (${codes}); QEMU finds: ${theirs.messages.slice(0, 400)}`,
  );
}

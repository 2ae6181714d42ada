import type { RandomAccess } from "@box/io";
import { bitsOf, incompatibleBits } from "../../header/features.ts";
import { headerFields } from "../../header/layout.ts";
import { HostFile } from "../../write/host-file.ts";
import type { CheckImageOptions } from "../check-options.ts";
import { type CheckRun, runCheck } from "../check-run.ts";
import { completeSnapshots } from "./complete-snapshots.ts";
import { clearUselessPointers, correctCopiedBits } from "./repair-entries.ts";
import { raiseRefcounts, repairRefcounts } from "./repair-refcounts.ts";

/** One kind of repair; says whether anything was written. */
type RepairStep = (
  source: RandomAccess,
  run: CheckRun,
  options: CheckImageOptions,
) => Promise<boolean>;

/**
 * In the order that loses least when a repair is interrupted. Copied bits come last: they say what the refcounts are, and
 * one that is clear by mistake costs a copy, never data.
 */
const steps: Readonly<Record<"leaks" | "all", readonly RepairStep[]>> = {
  leaks: [lowerLeaks, correctIfAlone],
  all: [completeSnapshots, clearUselessPointers, raiseRefcounts, lowerRefcounts, correctCopiedBits],
};

/** What may be left when refcounts are lowered: nothing that leaves in doubt where a pointer leads. */
const harmless: ReadonlySet<string> = new Set([
  "QCOW2_MARKED_CORRUPT",
  "QCOW2_SUBCLUSTERS_INVALID",
  "QCOW2_REFCOUNT_TOO_LOW",
  "QCOW2_COPIED_BIT_WRONG",
]);

/**
 * Repairs an image: missing extra data of snapshots, pointers of clusters that read as zeros, refcounts that are too low,
 * those that are too high, and copied bits. What a damaged pointer may have named stays counted.
 */
export async function repairImage(
  source: RandomAccess,
  first: CheckRun,
  repair: "leaks" | "all",
  options: CheckImageOptions,
): Promise<void> {
  let run = first;
  for (const step of steps[repair]) {
    if (await step(source, run, options)) run = await runCheck(source, options);
  }
  if (repair === "all" && isSoundBesides(run, "QCOW2_MARKED_CORRUPT")) await clearMarks(run);
}

/** Lowers refcounts that are too high, when no pointer is damaged. */
async function lowerRefcounts(_source: RandomAccess, run: CheckRun): Promise<boolean> {
  const { sink, context, walk } = run;
  const isSafe = canJudge(run) && [...sink.codes].every((code) => harmless.has(code));
  if (!isSafe || sink.leaks === 0) return false;
  return repairRefcounts(context, walk.blocks, "lower");
}

/** Lowers refcounts that are too high, when nothing else is wrong. */
async function lowerLeaks(source: RandomAccess, run: CheckRun): Promise<boolean> {
  return isSoundBesides(run, "QCOW2_MARKED_CORRUPT") && lowerRefcounts(source, run);
}

/** Corrects the copied bits that were right while the refcounts were too high. */
async function correctIfAlone(...[source, run, options]: Parameters<RepairStep>): Promise<boolean> {
  const isAlone = isSoundBesides(run, "QCOW2_MARKED_CORRUPT", "QCOW2_COPIED_BIT_WRONG");
  return isAlone && run.sink.leaks === 0 && correctCopiedBits(source, run, options);
}

/** Clears the dirty and the corrupt bit of an image that has turned out sound. */
async function clearMarks(run: CheckRun): Promise<void> {
  const { header } = run.context.area;
  const marks = bitsOf(incompatibleBits.dirty, incompatibleBits.corrupt);
  if (header.version === 2 || (header.incompatibleFeatures & marks) === 0n) return;
  const field = new Uint8Array(8);
  new DataView(field.buffer).setBigUint64(0, header.incompatibleFeatures & ~marks);
  const host = new HostFile(run.context.reader, undefined);
  await host.write(headerFields.incompatibleFeatures, field, "header");
  await host.flush();
}

function isSoundBesides(run: CheckRun, ...allowed: readonly string[]): boolean {
  return canJudge(run) && [...run.sink.codes].every((code) => allowed.includes(code));
}

function canJudge({ walk, context }: CheckRun): boolean {
  return walk.isComplete && context.tally.checkErrors === 0;
}

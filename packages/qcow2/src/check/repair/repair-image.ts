import type { RandomAccess } from "@box/io";
import { bitsOf, incompatibleBits } from "../../header/features.ts";
import { headerFields } from "../../header/layout.ts";
import { HostFile } from "../../write/host-file.ts";
import type { CheckImageOptions } from "../check-options.ts";
import { type CheckRun, runCheck, startCheck } from "../check-run.ts";
import { countReferences } from "../walk-metadata.ts";
import { rebuildRefcounts } from "./rebuild-refcounts.ts";
import { repairRefcounts } from "./repair-refcounts.ts";

/** Entries that one repair corrects; the next one takes the rest. */
const maxCorrections = 1_000_000;

const pointerDamage = ["QCOW2_OVERLAP", "QCOW2_MISALIGNED", "QCOW2_OUT_OF_FILE"] as const;

/**
 * Repairs an image in the order that loses least when it is interrupted: refcounts that are too low, copied bits, and
 * only when nothing else is wrong those that are too high. A pointer is never changed, and a damaged one keeps every
 * cluster that it may have named.
 */
export async function repairImage(
  source: RandomAccess,
  first: CheckRun,
  repair: "leaks" | "all",
  options: CheckImageOptions,
): Promise<void> {
  let run = first;
  if (repair === "all") {
    if (await raiseRefcounts(source, run, options)) run = await runCheck(source, options);
    if (await correctCopiedBits(source, run, options)) run = await runCheck(source, options);
  }
  if (!isSoundBesidesMark(run)) return;
  if (run.sink.leaks > 0) {
    await repairRefcounts(run.context, run.walk.blocks, hostOf(run), "lower");
  }
  if (repair === "all") await clearMarks(run);
}

/** @returns Whether anything was written. */
async function raiseRefcounts(
  source: RandomAccess,
  { context, sink, walk }: CheckRun,
  options: CheckImageOptions,
): Promise<boolean> {
  if (!walk.isComplete) return false;
  if (context.tally.needsRebuild) return rebuild(source, options);
  if (!sink.codes.has("QCOW2_REFCOUNT_TOO_LOW")) return false;
  await repairRefcounts(context, walk.blocks, hostOf({ context }), "raise");
  return true;
}

async function rebuild(source: RandomAccess, options: CheckImageOptions): Promise<boolean> {
  const start = await startCheck(source, options);
  const how = { requiresSnapshotExtra: false, skipsRefcounts: true };
  const { isComplete } = await countReferences(start.context, how);
  // The file grows: what points past its end would point at the new structures.
  if (!isComplete || start.context.hasPastEnd) return false;
  await rebuildRefcounts(start.context, hostOf(start));
  return true;
}

/** Flips the copied bit of the entries where it is wrong, unless pointers are damaged: a table may be something else. */
async function correctCopiedBits(
  source: RandomAccess,
  { sink }: CheckRun,
  options: CheckImageOptions,
): Promise<boolean> {
  const isUnsafe = pointerDamage.some((code) => sink.codes.has(code));
  if (isUnsafe || !sink.codes.has("QCOW2_COPIED_BIT_WRONG")) return false;
  const wrong: number[] = [];
  const run = await runCheck(source, options, (entryAt) => {
    if (wrong.length < maxCorrections) wrong.push(entryAt);
  });
  const host = hostOf(run);
  for (const entryAt of wrong) {
    const found = await run.context.reader.readExactly(entryAt, 1, "L2 table");
    await host.write(entryAt, Uint8Array.of((found[0] ?? 0) ^ 0x80), "L2 table");
  }
  await host.flush();
  return wrong.length > 0;
}

/** Clears the dirty and the corrupt bit of an image that has turned out sound. */
async function clearMarks(run: CheckRun): Promise<void> {
  const { header } = run.context.area;
  const marks = bitsOf(incompatibleBits.dirty, incompatibleBits.corrupt);
  if (header.version === 2 || (header.incompatibleFeatures & marks) === 0n) return;
  const field = new Uint8Array(8);
  new DataView(field.buffer).setBigUint64(0, header.incompatibleFeatures & ~marks);
  const host = hostOf(run);
  await host.write(headerFields.incompatibleFeatures, field, "header");
  await host.flush();
}

function isSoundBesidesMark({ sink, walk, context }: CheckRun): boolean {
  const isSound = [...sink.codes].every((code) => code === "QCOW2_MARKED_CORRUPT");
  return isSound && walk.isComplete && context.tally.checkErrors === 0;
}

function hostOf({ context }: Pick<CheckRun, "context">): HostFile {
  return new HostFile(context.reader, undefined);
}

import type { RandomAccess } from "@box/io";
import { throwIfAborted } from "../bytes/source-reader.ts";
import { checkStructure } from "../check/check-structure.ts";
import { Qcow2Error } from "../errors.ts";
import type { AmendImageOptions } from "./amend-options.ts";
import { changeRefcountBits } from "./change-refcount-bits.ts";
import { changedHeader } from "./changed-header.ts";
import { expandZeros } from "./expand-zeros.ts";
import { type AmendPlan, planAmendment } from "./plan-amendment.ts";
import { readWritableHeader, rewriteHeader } from "./rewrite-header.ts";
import { requireSizesOfDisk, requireSnapshotSizes } from "./snapshot-sizes.ts";

/**
 * Changes features of an image that exists. The header is written last, in one write, and keeps what is not known here.
 * For another backing file see {@link rebaseImage}.
 *
 * Version 2 has no zero clusters: they are given back, or stored as zeros where there is a backing file, in snapshots too. Version 3 and
 * another width of refcounts are only given to an image whose structure is sound.
 *
 * @param source - The image file, which nothing else has open.
 * @throws {@link Qcow2Error} `QCOW2_UNSUPPORTED_FEATURE` for what the image's features or contents rule out,
 * `QCOW2_INVALID_ARGUMENT`, both before anything is written; `QCOW2_DIRTY`, `QCOW2_MARKED_CORRUPT`, what
 * {@link checkStructure} finds, and what reading and writing throw.
 */
export async function amendImage(source: RandomAccess, options: AmendImageOptions): Promise<void> {
  const { signal, limits } = options;
  const { area, info } = await readWritableHeader(source, { signal });
  const plan = planAmendment(area, info, options);
  // Judges whether the new header fits before any work.
  changedHeader(area, plan.change);
  const memory =
    limits?.maxMetadataBytes === undefined ? {} : { maxMetadataBytes: limits.maxMetadataBytes };
  const how = { ...memory, ...(signal && { signal }) };
  if (plan.isUpgrade || plan.refcountBits !== undefined) {
    const { leaks } = await checkStructure(source, how);
    if (plan.refcountBits !== undefined) requireExactRefcounts(leaks);
  }
  if (plan.isUpgrade) await requireSnapshotSizes(source, area, how);
  if (plan.isDowngrade) await requireSizesOfDisk(source, area, how);
  if (plan.refcountBits !== undefined && !plan.isUpgrade) {
    await changeRefcountBits(source, plan.refcountBits, how);
  }
  if (plan.isDowngrade) await expandZeros(source, options);
  throwIfAborted(signal);
  await writeChange(source, plan, signal);
  if (plan.refcountBits !== undefined && plan.isUpgrade) {
    await changeRefcountBits(source, plan.refcountBits, how);
  }
}

/** Counting anew would lower refcounts that are too high, and copied bits would not agree with them any more. */
function requireExactRefcounts(leaks: number): void {
  if (leaks === 0) return;
  throw new Qcow2Error({
    code: "QCOW2_UNSUPPORTED_FEATURE",
    message: `the refcounts of an image with ${leaks} leaked clusters cannot be counted anew`,
    structure: "refcount block",
    hint: "repair the leaks first",
  });
}

async function writeChange(
  source: RandomAccess,
  { change, isNeeded }: AmendPlan,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!isNeeded) return;
  const { area } = await readWritableHeader(source, { signal });
  await rewriteHeader(source, area, change);
}

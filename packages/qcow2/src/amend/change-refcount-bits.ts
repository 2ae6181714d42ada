import type { RandomAccess } from "@box/io";
import type { CheckImageOptions } from "../check/check-options.ts";
import { startCheck } from "../check/check-run.ts";
import { rebuildRefcounts } from "../check/repair/rebuild-refcounts.ts";
import { countReferences } from "../check/walk-metadata.ts";
import { Qcow2Error } from "../errors.ts";
import { HostFile } from "../write/host-file.ts";

/**
 * Counts all references of an image and writes its refcounts in another width, behind the end of the file; one write of
 * the header then lets them take the place of the old ones, which are free from there on.
 *
 * @throws {@link Qcow2Error} `QCOW2_INVALID_ARGUMENT` when a cluster is used more often than the width can count.
 */
export async function changeRefcountBits(
  source: RandomAccess,
  refcountBits: number,
  options: CheckImageOptions,
): Promise<void> {
  const { context } = await startCheck(source, options);
  const how = { requiresSnapshotExtra: false, skipsRefcounts: true };
  const { isComplete } = await countReferences(context, how);
  if (!isComplete || context.hasPastEnd) throw new Error("a sound image can be counted");
  for (const pageIndex of context.references.pageIndexes()) {
    const counts = context.references.page(pageIndex)?.counts ?? new Uint32Array(0);
    const most = counts.reduce((before, count) => Math.max(before, count), 0);
    if (most >= 2 ** refcountBits) throw tooNarrow(refcountBits, most);
  }
  const host = new HostFile(context.reader, undefined);
  await rebuildRefcounts(context, host, Math.log2(refcountBits));
}

function tooNarrow(refcountBits: number, count: number): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_INVALID_ARGUMENT",
    message: `a cluster is used ${count} times, more than ${refcountBits} bits can count`,
    structure: "refcount block",
  });
}

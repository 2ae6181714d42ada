import type { RandomAccess } from "@box/io";
import { readU64, viewOf } from "../bytes/big-endian.ts";
import { SourceReader } from "../bytes/source-reader.ts";
import type { ImageInfo } from "../inspect/image-info.ts";
import { readRefcount, refcountsPerBlock } from "./refcount-block.ts";

const tableStepBytes = 65536;
const blockOffsetMask = 0x1ff;

/**
 * Counts the clusters of an image file whose stored refcount is not 0, and stops at a limit. Reads refcount structures
 * only, and no more of them at once than 64 KiB and one block; what lies past the end of the file counts as 0.
 *
 * @param info - What `inspectImage` said of the same source.
 * @throws Qcow2Error of kind io or aborted.
 */
export async function countUsedClusters(
  source: RandomAccess,
  info: ImageInfo,
  options: { readonly atMost: number; readonly signal?: AbortSignal },
): Promise<number> {
  const { atMost, signal } = options;
  const { clusterBits, refcountBits, clusterSizeBytes, refcountTable } = info;
  const reader = await SourceReader.open(source, signal);
  const order = Math.log2(refcountBits);
  const perBlock = refcountsPerBlock(clusterBits, order);
  const clusters = Math.ceil(reader.sizeBytes / clusterSizeBytes);
  const blocks = Math.min(refcountTable.entries, Math.ceil(clusters / perBlock));
  let used = 0;
  for (let first = 0; first < blocks && used < atMost; first += tableStepBytes / 8) {
    const length = Math.min(tableStepBytes, (blocks - first) * 8);
    const table = await reader.readAvailable(refcountTable.offset + first * 8, length);
    const view = viewOf(table);
    for (let at = 0; at + 8 <= table.byteLength && used < atMost; at += 8) {
      const offset = readU64(view, at) - (view.getUint32(at + 4) & blockOffsetMask);
      if (offset === 0 || offset >= reader.sizeBytes) continue;
      const block = viewOf(await reader.readAvailable(offset, clusterSizeBytes));
      const from = (first + at / 8) * perBlock;
      const entries = Math.min(perBlock, clusters - from, (block.byteLength * 8) / refcountBits);
      for (let index = 0; index + 1 <= entries && used < atMost; index++) {
        if (readRefcount(block, index, order) !== 0) used++;
      }
    }
  }
  return used;
}

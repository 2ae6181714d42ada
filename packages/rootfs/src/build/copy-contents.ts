import type { Ext4Plan } from "@box/ext4";
import type { RandomAccess } from "@box/io";
import type { LayerContents } from "../merge/content-index.ts";
import type { LayerSource } from "../merge/layer-source.ts";
import type { ContentWriter, WriteContentsOptions } from "./content-writer.ts";
import { cutShort } from "./layer-spool.ts";

/** Reads of a file that was just written go through the thread pool when they are larger, which costs more than they do. */
const stepBytes = 64 * 1024;

/** The live files of a layer whose archive can be read at any place. */
export interface KeptContents {
  readonly layer: LayerSource;
  readonly contents: LayerContents;
  readonly archive: RandomAccess;
}

/**
 * Copies the content of live files from archives to its planned places in the order of these: an image is written with few
 * large writes, while small reads here and there cost little of a file that was just written.
 *
 * @throws RootfsError `ROOTFS_LAYER_CHANGED` when an archive ends too early.
 */
export async function copyContents(
  plan: Ext4Plan,
  kept: readonly KeptContents[],
  writer: ContentWriter,
  { signal, onProgress }: WriteContentsOptions,
): Promise<void> {
  for (const { of, at, node } of inOrderOfImage(plan, kept)) {
    const { archive, contents, layer } = kept[of] as KeptContents;
    const start = contents.offsets[at] as number;
    for (const { fileOffset, imageOffset, length } of plan.extents(node)) {
      for (let done = 0; done < length; ) {
        const room = writer.room(imageOffset + done, Math.min(length - done, stepBytes));
        const bytes = await archive.read(start + fileOffset + done, room.byteLength, room);
        if (bytes.byteLength < room.byteLength) throw cutShort(layer);
        done += room.byteLength;
        if (!writer.isFull) continue;
        signal?.throwIfAborted();
        await writer.flush();
        onProgress?.(writer.writtenBytes);
      }
    }
  }
}

/** Which file of which layer comes when: inodes have their content one after the other. */
function* inOrderOfImage(
  plan: Ext4Plan,
  kept: readonly KeptContents[],
): Generator<{ readonly of: number; readonly at: number; readonly node: number }> {
  const layers = new Uint32Array(plan.usedInodes + 1);
  const positions = new Uint32Array(plan.usedInodes + 1);
  for (const [of, { contents }] of kept.entries()) {
    for (const [at, node] of contents.nodes.entries()) {
      const inode = plan.inodeOf(node);
      layers[inode] = of + 1;
      positions[inode] = at;
    }
  }
  for (const [inode, layer] of layers.entries()) {
    if (layer === 0) continue;
    const at = positions[inode] as number;
    const { nodes } = (kept[layer - 1] as KeptContents).contents;
    yield { of: layer - 1, at, node: nodes[at] as number };
  }
}

import { blockBytes, blocksPerGroup } from "../format/numbers.ts";
import type { PlanParts } from "../plan/ext4-plan.ts";
import { backupGroups } from "../plan/geometry.ts";
import type { BlockWriter } from "./block-writer.ts";

const journalMagic = 0xc03b3998;
const journalSuperblockV2 = 4;

/**
 * Writes the first block of the journal: empty, so that all others may stay zero. Big-endian, unlike the rest.
 *
 * @see The Linux kernel's documentation of ext4, "Journal (jbd2)"
 */
export async function writeJournal(parts: PlanParts, writer: BlockWriter): Promise<void> {
  const { journalBlocks } = parts.fit;
  const journalInode = 8;
  if (journalBlocks === 0) return;
  const bytes = new Uint8Array(blockBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0x00, journalMagic);
  view.setUint32(0x04, journalSuperblockV2);
  view.setUint32(0x0c, blockBytes);
  view.setUint32(0x10, journalBlocks);
  view.setUint32(0x14, 1); // first block of the log
  view.setUint32(0x18, 1); // first sequence number
  bytes.set(parts.settings.uuid, 0x30);
  view.setUint32(0x40, 1); // file systems that use it
  const first = parts.extents.start[journalInode] as number;
  await writer.block(parts.extents.physical[first] as number, bytes);
}

/**
 * Writes the blocks through which the resize inode owns the blocks reserved for descriptors: a block that lists the
 * reserved blocks behind the first descriptors, and in each of those the places of its copies.
 */
export async function writeResizeBlocks(parts: PlanParts, writer: BlockWriter): Promise<void> {
  const { resizeBlock } = parts;
  const { descriptorBlocks, groupCount, reservedBlocks } = parts.fit.geometry;
  if (resizeBlock === 0) return;
  const groups = backupGroups(groupCount);
  const entries = blockBytes / 4;
  const map = new Uint8Array(blockBytes);
  const mapView = new DataView(map.buffer);
  const bytes = new Uint8Array(blockBytes);
  const view = new DataView(bytes.buffer);
  for (let k = 0; k < reservedBlocks; k++) {
    const reserved = 1 + descriptorBlocks + k;
    mapView.setUint32(((descriptorBlocks + k) % entries) * 4, reserved, true);
    for (const [i, group] of groups.entries()) {
      view.setUint32(i * 4, reserved + group * blocksPerGroup, true);
    }
    await writer.block(reserved, bytes);
  }
  await writer.block(resizeBlock, map);
}

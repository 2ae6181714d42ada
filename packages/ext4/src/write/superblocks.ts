import { extraInodeBytes } from "../format/inode.ts";
import {
  blockBytes,
  blocksPerGroup,
  descriptorBytes,
  features,
  inodeBytes,
  inodes,
} from "../format/numbers.ts";
import {
  sealSuperblock,
  superblockBytes,
  superblockMagic,
  superblockOffsets,
  unsignedHashFlag,
} from "../format/superblock.ts";
import type { PlanParts } from "../plan/ext4-plan.ts";
import { backupGroups } from "../plan/geometry.ts";
import type { BlockWriter } from "./block-writer.ts";
import type { GroupTotals } from "./group-tables.ts";

/** What the superblock repeats of the journal's inode. */
export interface JournalBackup {
  /** Its block map, 60 bytes. */
  readonly map: Uint8Array;
  /** Its size. */
  readonly sizeBytes: number;
}

const primaryAt = 1024;
const journalInInode = 1;
/** Extended attributes and ACLs are on when a mount says nothing. */
const mountOptions = 0x0c;
const noMountLimit = 0xffff;
const cleanState = 1;
const goOnAfterErrors = 1;
const dynamicRevision = 1;
const crc32cType = 1;

/** Writes the superblock, the group descriptors and all their copies; the first superblock at the very end. */
export async function writeSuperblocks(
  parts: PlanParts,
  writer: BlockWriter,
  totals: GroupTotals,
  journal: JournalBackup | undefined,
): Promise<void> {
  const superblock = buildSuperblock(parts, totals, journal);
  const view = new DataView(superblock.buffer);
  const block = new Uint8Array(blockBytes);
  for (const group of [...backupGroups(parts.fit.geometry.groupCount), 0]) {
    const start = group * blocksPerGroup;
    view.setUint16(superblockOffsets.groupNumber, group, true);
    sealSuperblock(superblock);
    for (let at = 0; at < totals.descriptors.byteLength; at += blockBytes) {
      const descriptors = totals.descriptors.subarray(at, at + blockBytes);
      await writer.block(start + 1 + at / blockBytes, descriptors);
    }
    block.fill(0);
    block.set(superblock, group === 0 ? primaryAt : 0);
    if (group === 0) await writer.flush();
    await writer.block(start, block);
  }
  await writer.flush();
}

function buildSuperblock(
  { fit, settings, inventory, resizeBlock }: PlanParts,
  totals: GroupTotals,
  journal: JournalBackup | undefined,
): Uint8Array {
  const { geometry, blockCount } = fit;
  const bytes = new Uint8Array(superblockBytes);
  const view = new DataView(bytes.buffer);
  const o = superblockOffsets;
  const word = (at: number, value: number): void => view.setUint32(at, value, true);
  const half = (at: number, value: number): void => view.setUint16(at, value, true);
  word(o.inodesCount, geometry.groupCount * geometry.inodesPerGroup);
  word(o.blocksCountLow, blockCount);
  word(o.freeBlocksLow, fit.freeBlocks);
  word(o.freeInodes, totals.freeInodes);
  word(o.logBlockSize, 2);
  word(o.logClusterSize, 2);
  word(o.blocksPerGroup, blocksPerGroup);
  word(o.clustersPerGroup, blocksPerGroup);
  word(o.inodesPerGroup, geometry.inodesPerGroup);
  word(o.writeTime, settings.epochSeconds);
  half(o.maxMountCount, noMountLimit);
  half(o.magic, superblockMagic);
  half(o.state, cleanState);
  half(o.errors, goOnAfterErrors);
  word(o.lastCheck, settings.epochSeconds);
  word(o.revision, dynamicRevision);
  word(o.firstInode, inodes.lostAndFound);
  half(o.inodeSize, inodeBytes);
  word(o.featureCompat, compatFeatures(journal !== undefined, resizeBlock > 0));
  word(o.featureIncompat, incompatFeatures(inventory.valueInodes.length > 0));
  word(o.featureRoCompat, roCompatFeatures);
  bytes.set(settings.uuid, o.uuid);
  bytes.set(settings.label, o.volumeName);
  half(o.reservedGdtBlocks, geometry.reservedBlocks);
  for (const [i, seed] of settings.hashSeed.entries()) word(o.hashSeed + i * 4, seed);
  bytes[o.defaultHashVersion] = 1;
  half(o.descriptorSize, descriptorBytes);
  word(o.defaultMountOptions, mountOptions);
  word(o.makeTime, settings.epochSeconds);
  half(o.minExtraSize, extraInodeBytes);
  half(o.wantExtraSize, extraInodeBytes);
  word(o.flags, unsignedHashFlag);
  bytes[o.logGroupsPerFlex] = 4;
  bytes[o.checksumType] = crc32cType;
  if (journal !== undefined) {
    word(o.journalInode, inodes.journal);
    bytes[o.journalBackupType] = journalInInode;
    bytes.set(journal.map, o.journalBlocks);
    word(o.journalBlocks + 60, Math.floor(journal.sizeBytes / 2 ** 32));
    word(o.journalBlocks + 64, journal.sizeBytes % 2 ** 32);
  }
  return bytes;
}

function compatFeatures(hasJournal: boolean, hasResizeInode: boolean): number {
  return (
    features.extAttr |
    features.dirIndex |
    (hasJournal ? features.hasJournal : 0) |
    (hasResizeInode ? features.resizeInode : 0)
  );
}

function incompatFeatures(hasValueInodes: boolean): number {
  return (
    features.filetype |
    features.extents |
    features.bit64 |
    features.flexBg |
    (hasValueInodes ? features.eaInode : 0)
  );
}

const roCompatFeatures: number =
  features.sparseSuper |
  features.largeFile |
  features.hugeFile |
  features.dirNlink |
  features.extraIsize |
  features.metadataCsum;

import { viewOf, writeU64 } from "../bytes/big-endian.ts";
import { headerFields as at, magic } from "./layout.ts";
import type { Header } from "./parse.ts";

/**
 * Serializes the header's fields; the reverse of parsing them.
 *
 * @returns `headerLength` bytes (72 for version 2).
 */
export function serializeHeader(header: Header): Uint8Array {
  const bytes = new Uint8Array(header.headerLength);
  const view = viewOf(bytes);
  view.setUint32(at.magic, magic);
  view.setUint32(at.version, header.version);
  writeU64(view, at.backingFileOffset, header.backingFileOffset);
  view.setUint32(at.backingFileSize, header.backingFileSize);
  view.setUint32(at.clusterBits, header.clusterBits);
  view.setBigUint64(at.size, header.size);
  view.setUint32(at.cryptMethod, header.cryptMethod);
  view.setUint32(at.l1Size, header.l1Size);
  writeU64(view, at.l1TableOffset, header.l1TableOffset);
  writeU64(view, at.refcountTableOffset, header.refcountTableOffset);
  view.setUint32(at.refcountTableClusters, header.refcountTableClusters);
  view.setUint32(at.snapshotCount, header.snapshotCount);
  writeU64(view, at.snapshotsOffset, header.snapshotsOffset);
  if (header.version === 3) writeV3Fields(header, view, bytes);
  return bytes;
}

function writeV3Fields(header: Header, view: DataView, bytes: Uint8Array): void {
  view.setBigUint64(at.incompatibleFeatures, header.incompatibleFeatures);
  view.setBigUint64(at.compatibleFeatures, header.compatibleFeatures);
  view.setBigUint64(at.autoclearFeatures, header.autoclearFeatures);
  view.setUint32(at.refcountOrder, header.refcountOrder);
  view.setUint32(at.headerLength, header.headerLength);
  if (header.headerLength > at.compressionType) {
    view.setUint8(at.compressionType, header.compressionType);
    bytes.set(header.unknownFields, at.compressionType + 1);
  }
}

import { viewOf, writeU64 } from "../bytes/big-endian.ts";
import type { BitmapDirectoryInfo } from "../extensions/contents.ts";
import { bitmapsExtensionBytes, extensionTypes } from "../extensions/layout.ts";
import type { ExtensionContent } from "../extensions/serialize.ts";
import { type BitmapEntry, bitmapEntryHeadBytes } from "./parse.ts";

/** The only type of bitmap that there is: one that says which bytes changed. */
const dirtyTrackingType = 1;

/**
 * Serializes a bitmap directory; extra data is kept. The reverse of parsing it.
 *
 * @see qcow2 specification, "Bitmap directory"
 */
export function serializeBitmapDirectory(entries: readonly BitmapEntry[]): Uint8Array {
  const bytes = new Uint8Array(bitmapDirectoryBytes(entries));
  let at = 0;
  for (const entry of entries) {
    const view = viewOf(bytes.subarray(at));
    writeU64(view, 0, entry.tableOffset);
    view.setUint32(8, entry.tableEntries);
    view.setUint32(12, entry.flags);
    view.setUint8(16, dirtyTrackingType);
    view.setUint8(17, entry.granularityBits);
    view.setUint16(18, entry.name.byteLength);
    view.setUint32(20, entry.extra.byteLength);
    bytes.set(entry.extra, at + bitmapEntryHeadBytes);
    bytes.set(entry.name, at + bitmapEntryHeadBytes + entry.extra.byteLength);
    at += entryBytesOf(entry);
  }
  return bytes;
}

/** Bytes of the directory that {@link serializeBitmapDirectory} makes. */
export function bitmapDirectoryBytes(entries: readonly BitmapEntry[]): number {
  return entries.reduce((sum, entry) => sum + entryBytesOf(entry), 0);
}

/** The extension that names a bitmap directory. */
export function bitmapsExtension(info: BitmapDirectoryInfo): ExtensionContent {
  const data = new Uint8Array(bitmapsExtensionBytes);
  const view = viewOf(data);
  view.setUint32(0, info.count);
  writeU64(view, 8, info.lengthBytes);
  writeU64(view, 16, info.offset);
  return { type: extensionTypes.bitmaps, data };
}

function entryBytesOf({ extra, name }: BitmapEntry): number {
  return Math.ceil((bitmapEntryHeadBytes + extra.byteLength + name.byteLength) / 8) * 8;
}

import type { HeaderChange } from "../amend/changed-header.ts";
import { changedHeader } from "../amend/changed-header.ts";
import type { BitmapDirectoryInfo } from "../extensions/contents.ts";
import { extensionTypes } from "../extensions/layout.ts";
import { autoclearBits, bitsOf } from "../header/features.ts";
import type { Header } from "../header/parse.ts";
import type { HeaderArea } from "../inspect/read-header.ts";
import type { BitmapEntry } from "./parse.ts";
import { bitmapDirectoryBytes, bitmapsExtension, serializeBitmapDirectory } from "./serialize.ts";
import type { ChangeParts } from "./store-pages.ts";

/** A table or cluster of bits that nothing uses any more. */
export interface UnusedRange {
  /** First byte. */
  readonly offset: number;
  /** How many bytes. */
  readonly lengthBytes: number;
  /** What it was. */
  readonly structure: "bitmap table" | "bitmap data";
}

/**
 * Writes a new directory beside the old one and lets the header name it; what only the old one used is given back
 * afterwards. Every prefix leaves the old bitmaps or the new ones, and leaked clusters at worst; a failure leaves none.
 *
 * @param alsoChanged - Fields of the header that change in the same write.
 */
export async function replaceDirectory(
  parts: Pick<ChangeParts, "header" | "store" | "fresh">,
  entries: readonly BitmapEntry[],
  unused: readonly UnusedRange[],
  alsoChanged: Partial<Header> = {},
): Promise<void> {
  const { header, store, fresh } = parts;
  const old = header.area.contents.bitmaps;
  const clusterSize = 2 ** header.header.clusterBits;
  let offset = 0;
  if (entries.length > 0) {
    const directory = serializeBitmapDirectory(entries);
    const bytes = new Uint8Array(Math.ceil(directory.byteLength / clusterSize) * clusterSize);
    bytes.set(directory);
    offset = await fresh.write(bytes, "bitmap directory");
  }
  await store.commit();
  await store.host.flush();
  const { fields, ...change } = directoryChange(header.area, entries, offset);
  await store.rewriteHeader({ ...change, fields: { ...fields, ...alsoChanged } });
  fresh.keep();
  if (old) store.retire(old.offset, old.lengthBytes, "bitmap directory");
  for (const { offset, lengthBytes, structure } of unused) {
    store.retire(offset, lengthBytes, structure);
  }
  // The change is in force. What giving the old tables back fails with is no failure of it: they wait for the next commit.
  await store.commit().catch((error: unknown) => {
    if (store.host.hasFailed) throw error;
  });
}

/**
 * Refuses bitmaps that the header has no room to name.
 *
 * @throws {@link Qcow2Error} `QCOW2_INVALID_ARGUMENT`.
 */
export function requireRoom(area: HeaderArea, entries: readonly BitmapEntry[]): void {
  changedHeader(area, directoryChange(area, entries, 2 ** area.header.clusterBits));
}

function directoryChange(
  { header }: HeaderArea,
  entries: readonly BitmapEntry[],
  offset: number,
): HeaderChange {
  const mark = bitsOf(autoclearBits.bitmaps);
  if (entries.length === 0) {
    const fields = { autoclearFeatures: header.autoclearFeatures & ~mark };
    return { fields, withoutExtensions: [extensionTypes.bitmaps] };
  }
  const lengthBytes = bitmapDirectoryBytes(entries);
  const info: BitmapDirectoryInfo = { offset, lengthBytes, count: entries.length };
  const fields = { autoclearFeatures: header.autoclearFeatures | mark };
  return { fields, extensions: [bitmapsExtension(info)] };
}

import { viewOf, writeU64 } from "../bytes/big-endian.ts";
import { MemoryBudget } from "../bytes/budget.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import type { LiveHeader } from "../inspect/live-header.ts";
import { FreshTables } from "../write/fresh-tables.ts";
import type { ImageStore } from "../write/image-store.ts";
import { readBitmapPart, readBitmapTable } from "./bitmap-table.ts";
import { orBits } from "./bits.ts";
import type { DirtyPages } from "./dirty-pages.ts";
import type { BitmapEntry } from "./parse.ts";

/** What writing the bits of a bitmap needs. */
export interface StoreParts {
  /** The image file. */
  readonly reader: SourceReader;
  /** Its header. */
  readonly header: LiveHeader;
  /** Its clusters. */
  readonly store: ImageStore;
  /** Memory for tables. */
  readonly maxMetadataBytes: number;
}

/** What changing the bitmaps of an image needs. */
export interface ChangeParts extends StoreParts {
  /** Takes tables that the header is to name. */
  readonly fresh: FreshTables;
}

/**
 * Adds pages to the bits of a bitmap that is marked in use, where they are: nobody relies on it until the mark is gone. When
 * it fails the pages are still there, to be stored later.
 */
export async function storePages(parts: StoreParts, pages: DirtyPages): Promise<void> {
  await FreshTables.use(parts.store, (fresh) => addPages({ ...parts, fresh }, pages));
  pages.wereStored();
}

async function addPages(parts: ChangeParts, pages: DirtyPages): Promise<void> {
  const { reader, header, store, fresh, maxMetadataBytes } = parts;
  const clusterSize = 2 ** header.header.clusterBits;
  const { entry } = pages;
  const budget = new MemoryBudget(maxMetadataBytes);
  const table = await readBitmapTable(reader, entry, clusterSize, budget);
  const added: [number, number][] = [];
  for (const [index, bits] of pages.clusters()) {
    const part = table[index];
    if (part === undefined || part === "ones") continue;
    if (part === "zeros") {
      added.push([index, await fresh.write(bits, "bitmap data")]);
      continue;
    }
    orBits(bits, await readBitmapPart(reader, part, clusterSize));
    await store.claimOnce(part, clusterSize, "bitmap data");
    await store.host.write(part, bits, "bitmap data");
  }
  await store.commit();
  // Whether a write that fails has named one of them is not known.
  fresh.keep();
  await store.claimOnce(entry.tableOffset, entry.tableEntries * 8, "bitmap table");
  for (const [index, offset] of added) {
    const bytes = new Uint8Array(8);
    writeU64(viewOf(bytes), 0, offset);
    await store.host.write(entry.tableOffset + index * 8, bytes, "bitmap table");
  }
  await store.host.flush();
}

const flagsOffset = 12;

/** Changes the flags of a bitmap where they are: four bytes that lie in one sector. */
export async function writeFlags(
  store: ImageStore,
  entry: BitmapEntry,
  flags: number,
): Promise<void> {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, flags);
  await store.host.write(entry.entryOffset + flagsOffset, bytes, "bitmap directory");
}

import { viewOf, writeU64 } from "../bytes/big-endian.ts";
import { MemoryBudget } from "../bytes/budget.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import type { LiveHeader } from "../inspect/live-header.ts";
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

/** Adds pages to the bits of a bitmap that is marked in use, where they are: nobody relies on it until the mark is gone. */
export async function storePages(parts: StoreParts, pages: DirtyPages): Promise<void> {
  const { reader, header, store, maxMetadataBytes } = parts;
  const clusterSize = 2 ** header.header.clusterBits;
  const { entry } = pages;
  const budget = new MemoryBudget(maxMetadataBytes);
  const table = await readBitmapTable(reader, entry, clusterSize, budget);
  const added: [number, number][] = [];
  for (const [index, bits] of pages.take()) {
    const part = table[index];
    if (part === undefined || part === "ones") continue;
    orBits(bits, await readBitmapPart(reader, part, clusterSize));
    const offset = part === "zeros" ? (await store.allocate(1)).offset : part;
    await store.claimOnce(offset, clusterSize, "bitmap data");
    await store.host.write(offset, bits, "bitmap data");
    if (part === "zeros") added.push([index, offset]);
  }
  await store.commit();
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

import { MemoryBudget } from "../bytes/budget.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import type { HeaderArea } from "../inspect/read-header.ts";
import { readSnapshotTable } from "../snapshots/read-table.ts";
import type { HostFile } from "./host-file.ts";
import type { MetadataMap } from "./metadata-map.ts";

/** Claims the snapshot table, the snapshots' L1 tables, the bitmap directory and the encryption header. */
export async function claimSnapshots(
  reader: SourceReader,
  area: HeaderArea,
  maxMetadataBytes: number,
  host: HostFile,
  metadata: MetadataMap,
): Promise<void> {
  const { header, contents } = area;
  if (header.snapshotCount > 0) {
    const budget = new MemoryBudget(maxMetadataBytes);
    const { entries, lengthBytes } = await readSnapshotTable(reader, header, budget);
    await host.guarded(() => {
      metadata.claim(header.snapshotsOffset, lengthBytes, "snapshot table");
      for (const { l1Offset, l1Size } of entries) {
        metadata.claim(l1Offset, l1Size * 8, "snapshot L1 table");
      }
    });
  }
  const { bitmaps, encryptionHeader } = contents;
  await host.guarded(() => {
    if (bitmaps) metadata.claim(bitmaps.offset, bitmaps.lengthBytes, "bitmap directory");
    if (encryptionHeader) {
      metadata.claim(encryptionHeader.offset, encryptionHeader.lengthBytes, "encryption header");
    }
  });
}

import { MemoryFile, type RandomAccess } from "@box/io";
import { expect, it } from "vitest";
import { SourceReader } from "../../src/bytes/source-reader.ts";
import { ClusterMap } from "../../src/read/cluster-map.ts";
import { TableCache } from "../../src/tables/table-cache.ts";

const slice = 512;
const [l1, before, after, dataBefore, dataAfter] = [1, 2, 3, 20, 30].map((at) => at * slice) as [
  number,
  number,
  number,
  number,
  number,
];

it("a mapping whose tables were pushed out, and changed by others, takes none of what it had", async () => {
  const file = new MemoryFile(new Uint8Array(64 * slice));
  const put = (at: number, value: number): Promise<void> => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setUint32(4, value);
    return file.write(at, bytes);
  };
  await put(l1, before);
  await put(before, dataBefore);
  await put(after, dataAfter);
  const asked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const source: RandomAccess = {
    size: () => file.size(),
    async read(offset, length) {
      if (offset === before) {
        asked.resolve();
        await gate.promise;
      }
      return file.read(offset, length);
    },
  };
  const cache = new TableCache(await SourceReader.open(source), slice, 1, false);
  const pushOut = async (): Promise<void> => {
    for (let other = 40; other < 50; other++) await cache.load(other * slice, "L2 table");
    expect(cache.has(l1)).toBe(false);
  };
  const map = new ClusterMap(
    cache,
    { clusterBits: 9, hasExtendedL2: false, hasDataFile: false, version: 3 },
    { l1Offset: l1, l1Entries: 1, sizeBytes: slice },
    { image: () => 64 * slice, data: () => 64 * slice },
    true,
  );
  const mapping = map.next(0, slice);
  await asked.promise;
  await pushOut();
  // A writer gives the disk another table, stores that, and reads push it out again.
  const entry = await cache.load(l1, "L1 table");
  cache.edit(entry, l1, 8, "L1 table");
  entry.setUint32(4, after);
  await put(l1, after);
  for (const edit of cache.edits("L1 table")) cache.wasWritten(edit);
  await pushOut();
  gate.resolve();
  expect(await mapping).toMatchObject({ kind: "data", hostOffset: dataAfter });
});

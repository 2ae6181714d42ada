import { MemoryFile } from "@box/io";
import { checkImage } from "@box/qcow2";
import { expect, it } from "vitest";
import { places } from "../../fixtures/build.ts";
import { standalone } from "../../fixtures/streams.ts";

const wrongEntryAt = places.data + 512 * 110;

/**
 * An image whose L1 table names so many L2 tables that start within a cluster, each `times` times. They lie on top of
 * each other, and the one entry in there that is wrong is in all of them.
 */
function imageWith(tables: number, times: number): Uint8Array {
  return standalone((view, bytes) => {
    bytes.fill(0, places.data);
    view.setUint32(36, 1 + tables * times);
    for (let index = 0; index < tables * times; index++) {
      const offset = places.data + 512 * (1 + (index % tables));
      view.setBigUint64(places.l1 + 8 * (1 + index), BigInt(offset));
    }
    view.setBigUint64(wrongEntryAt, 1n << 56n);
  });
}

/** In how many L2 tables a check finds the wrong entry. */
async function tablesFollowed(bytes: Uint8Array): Promise<number> {
  const { findings } = await checkImage(new MemoryFile(bytes), { maxFindings: 10_000 });
  return findings.filter(
    ({ code, offset }) => code === "QCOW2_RESERVED_BITS" && offset === wrongEntryAt,
  ).length;
}

it.for([
  { tables: 63, followed: 63 },
  { tables: 64, followed: 64 },
  { tables: 65, followed: 64 },
  { tables: 100, followed: 64 },
])("a check follows 64 misaligned L2 tables and no more: $tables", async ({ tables, followed }) => {
  expect(await tablesFollowed(imageWith(tables, 1))).toBe(followed);
});

it("looks into a misaligned L2 table once, however often it is named", async () => {
  expect(await tablesFollowed(imageWith(60, 3))).toBe(60);
});

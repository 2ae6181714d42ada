import { MemoryFile } from "@box/io";
import { checkImage, createImage, describeImage, openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { edit } from "../../fixtures/build.ts";
import { allOf } from "../support/all-of.ts";

const maxMetadataBytes = 65_536;
const limits = { maxMetadataBytes };

function over(structure: string) {
  return { code: "QCOW2_METADATA_LIMIT", kind: "limit", structure };
}

async function imageOf(virtualSizeBytes: number, clusterSizeBytes = 4096): Promise<MemoryFile> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes, clusterSizeBytes });
  return file;
}

describe("memory for metadata is limited", () => {
  it("of a snapshot table", async () => {
    const file = await imageOf(2 ** 20);
    {
      await using image = await openImage(file, { mode: "rw" });
      for (let index = 0; index < 100; index++) {
        await image.createSnapshot(`snapshot ${index} ${"n".repeat(200)}`, { date: new Date(0) });
      }
    }
    await using image = await openImage(file, { limits });
    await expect(image.snapshots()).rejects.toMatchObject(over("snapshot table"));
    await expect(image.openSnapshot("1")).rejects.toMatchObject(over("snapshot table"));
    expect((await describeImage(file)).snapshots).toHaveLength(100);
  });

  it("of a bitmap directory", async () => {
    const file = await imageOf(2 ** 20);
    {
      await using image = await openImage(file, { mode: "rw" });
      for (let index = 0; index < 70; index++) await image.addBitmap(String(index).padEnd(1000));
    }
    await using image = await openImage(file, { limits });
    await expect(image.bitmaps()).rejects.toMatchObject(over("bitmap directory"));
    expect((await describeImage(file)).bitmaps).toHaveLength(70);
  });

  it("of a bitmap's table", async () => {
    const file = await imageOf(2 ** 40);
    {
      await using image = await openImage(file, { mode: "rw" });
      await image.addBitmap("bits", { granularityBytes: 4096 });
    }
    await using image = await openImage(file, { limits });
    await expect(allOf(image.dirtyRanges("bits"))).rejects.toMatchObject(over("bitmap table"));
    await using again = await openImage(file);
    expect(await allOf(again.dirtyRanges("bits"))).toEqual([]);
  });

  it("of the L2 tables that a check has still to look at", async () => {
    // 8,192 entries that name one table: a map of the file's clusters is small.
    const file = await imageOf(2 ** 34);
    {
      await using image = await openImage(file, { mode: "rw" });
      await image.write(0, Uint8Array.of(1));
    }
    const bytes = file.toBytes();
    const view = edit(bytes);
    const l1 = Number(view.getBigUint64(40));
    for (let index = 1; index < 8192; index++) {
      view.setBigUint64(l1 + index * 8, view.getBigUint64(l1));
    }
    const damaged = new MemoryFile(bytes);
    const check = checkImage(damaged, { maxMetadataBytes });
    await expect(check).rejects.toMatchObject(over("L2 table"));
    expect((await checkImage(damaged)).findings).not.toEqual([]);
  });
});

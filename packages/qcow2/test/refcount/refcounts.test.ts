import { MemoryFile } from "@box/io";
import { createImage, openImage } from "@box/qcow2";
import { fixtures } from "@box/qcow2/fixtures";
import { describe, expect, it } from "vitest";
import { onto } from "../../fixtures/chains.ts";

describe("an image that is opened for writing", () => {
  it.each([
    ["refcount-block-misaligned", "QCOW2_MISALIGNED"],
    ["refcount-block-past-end", "QCOW2_OUT_OF_FILE"],
    ["refcount-block-twice", "QCOW2_OVERLAP"],
    ["refcount-table-in-header", "QCOW2_OVERLAP"],
  ])("is not written when it is %s", async (name, code) => {
    const fixture = fixtures.find((one) => one.name === `corrupt/${name}`);
    const file = new MemoryFile(fixture?.build() as Uint8Array);
    const writing = (async () => {
      const options = onto(() => new MemoryFile());
      await using image = await openImage(file, { ...options, mode: "rw" });
      await image.write(2 ** 20, Uint8Array.of(1));
    })();
    await expect(writing).rejects.toMatchObject({ code, kind: "corrupt" });
  });

  it("moves its refcount table when that is full, and names the new one", async () => {
    const file = new MemoryFile();
    const small = { clusterSizeBytes: 512, refcountBits: 64 as const };
    await createImage(file, { virtualSizeBytes: 4 * 2 ** 20, ...small });
    const tableAt = () => new DataView(file.toBytes().buffer).getBigUint64(48);
    const before = tableAt();
    const content = new Uint8Array(3 * 2 ** 20).map((_, at) => at >> 9);
    {
      await using image = await openImage(file, { mode: "rw" });
      await image.write(0, content);
    }
    expect(tableAt()).not.toBe(before);
    await using image = await openImage(file);
    expect(Buffer.compare(await image.read(0, content.byteLength), content)).toBe(0);
  });
});

import { MemoryFile } from "@box/io";
import { amendImage, checkImage, createImage, openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { edit } from "../../fixtures/build.ts";

const mebibyte = 2 ** 20;
const half = mebibyte / 2;

/** An image without backing file whose shrink ended after the new size was written: all of the old disk is still there. */
async function halfShrunk(fill: "data" | "zeros"): Promise<MemoryFile> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: mebibyte, clusterSizeBytes: 4096 });
  {
    await using image = await openImage(file, { mode: "rw" });
    await image.write(0, new Uint8Array(mebibyte).fill(7));
    // Zero clusters that keep their place.
    if (fill === "zeros") await image.writeZeroes(half, half);
  }
  const bytes = file.toBytes();
  edit(bytes).setBigUint64(24, BigInt(half));
  return new MemoryFile(bytes);
}

describe("a disk without backing file whose shrink was ended by a crash", () => {
  it("grows with zeros", async () => {
    const file = await halfShrunk("data");
    await using image = await openImage(file, { mode: "rw" });
    await image.resize(mebibyte);
    const found = await image.read(half, half);
    expect(found.every((byte) => byte === 0)).toBe(true);
    expect((await image.read(0, half)).every((byte) => byte === 7)).toBe(true);
    await image.flush();
    expect((await checkImage(file)).findings).toEqual([]);
  });

  it("has no zero cluster behind its end when it becomes version 2", async () => {
    const file = await halfShrunk("data");
    const bytes = file.toBytes();
    const view = edit(bytes);
    const l2 = Number(view.getBigUint64(Number(view.getBigUint64(40))) & 0x00ff_ffff_ffff_fe00n);
    // The entry of the last cluster of the old disk.
    const last = l2 + (mebibyte / 4096 - 1) * 8;
    view.setBigUint64(last, view.getBigUint64(last) | 1n);
    const damaged = new MemoryFile(bytes);
    await amendImage(damaged, { version: 2 });
    expect((await checkImage(damaged)).findings).toEqual([]);
    await using image = await openImage(damaged, { mode: "rw" });
    expect(image.info.version).toBe(2);
    await image.resize(mebibyte);
    expect((await image.read(half, half)).every((byte) => byte === 0)).toBe(true);
  });
});

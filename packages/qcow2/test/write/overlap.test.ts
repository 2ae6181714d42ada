import { MemoryFile, observeFile } from "@box/io";
import { inspectImage, openImage } from "@box/qcow2";
import { fixtures } from "@box/qcow2/fixtures";
import { describe, expect, it } from "vitest";
import { edit } from "../../fixtures/build.ts";

const overlap = { code: "QCOW2_OVERLAP", kind: "corrupt" };
const backing = async () => ({ source: new MemoryFile(), format: "raw" as const });
const options = { backing, mode: "rw" } as const;

/** An image in which writing to byte 0 would hit an L2 table. */
function overlapping(): Uint8Array {
  const fixture = fixtures.find(({ name }) => name === "corrupt/write-over-l2");
  return fixture?.build() as Uint8Array;
}

describe("an overlap that is found while an image is written", () => {
  it("is marked on stable storage before it is told", async () => {
    const seen: string[] = [];
    const file = observeFile(new MemoryFile(overlapping()), ({ kind, offset }) => {
      if (kind === "write" || kind === "flush") seen.push(kind === "write" ? `${offset}` : kind);
    });
    const image = await openImage(file, options);
    await expect(image.write(0, Uint8Array.of(1))).rejects.toMatchObject(overlap);
    expect(seen).toEqual(["72", "flush"]);
    expect(image.info.isMarkedCorrupt).toBe(true);
  });

  it("changes nothing in version 2, which has no mark, and ends all writing too", async () => {
    const bytes = overlapping();
    edit(bytes).setUint32(4, 2);
    const file = new MemoryFile(bytes);
    const image = await openImage(file, options);
    await expect(image.write(0, Uint8Array.of(1))).rejects.toMatchObject(overlap);
    await expect(image.write(2 ** 20, Uint8Array.of(1))).rejects.toMatchObject(overlap);
    await image.close();
    expect(file.toBytes()).toEqual(bytes);
  });

  it("is told also when the mark cannot be written", async () => {
    const file = new MemoryFile(overlapping());
    const broken = observeFile(file, ({ kind }) => {
      if (kind === "write") throw new Error("EIO: i/o error");
    });
    const image = await openImage(broken, options);
    await expect(image.write(0, Uint8Array.of(1))).rejects.toMatchObject(overlap);
    await expect(image.write(2 ** 20, Uint8Array.of(1))).rejects.toMatchObject(overlap);
    expect((await inspectImage(file)).isMarkedCorrupt).toBe(false);
  });
});

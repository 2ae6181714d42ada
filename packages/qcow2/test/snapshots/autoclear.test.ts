import { MemoryFile } from "@box/io";
import { createImage, openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { edit } from "../../fixtures/build.ts";

const autoclearAt = 88;

describe("a change of the snapshots", () => {
  it("clears the autoclear features that are not known here", async () => {
    const made = new MemoryFile();
    await createImage(made, { virtualSizeBytes: 2 ** 20 });
    const bytes = made.toBytes();
    edit(bytes).setBigUint64(autoclearAt, 1n << 5n);
    const file = new MemoryFile(bytes);
    await using image = await openImage(file, { mode: "rw" });
    expect(edit(file.toBytes()).getBigUint64(autoclearAt)).toBe(1n << 5n);
    await image.createSnapshot("first", { date: new Date(0) });
    expect(edit(file.toBytes()).getBigUint64(autoclearAt)).toBe(0n);
  });
});

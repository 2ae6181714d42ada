import { MemoryFile } from "@box/io";
import { checkImage, convertImage, createImage, openImage } from "@box/qcow2";
import { nodeCodec } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { edit } from "../../fixtures/build.ts";

/** An image with two clusters of data, and where its first L2 table is. */
async function imageOf(hasExtendedL2: boolean) {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20, hasExtendedL2 });
  {
    await using image = await openImage(file, { mode: "rw" });
    await image.write(0, new Uint8Array(2 * 65536).fill(7));
  }
  const bytes = file.toBytes();
  const view = edit(bytes);
  const l2 = Number(view.getBigUint64(Number(view.getBigUint64(40))) & 0x00ff_ffff_ffff_fe00n);
  return { bytes, view, l2 };
}

describe("a repair", () => {
  it("leaves the copied bit of an entry with reserved bits alone", async () => {
    const { bytes, view, l2 } = await imageOf(false);
    // The copied bit is wrong in both entries; one of them has a reserved bit too.
    for (const at of [l2, l2 + 8]) view.setBigUint64(at, view.getBigUint64(at) & ~(1n << 63n));
    view.setBigUint64(l2, view.getBigUint64(l2) | (1n << 57n));
    const odd = view.getBigUint64(l2);
    const file = new MemoryFile(bytes);
    const { findings } = await checkImage(file, { repair: "all" });
    const after = edit(file.toBytes());
    expect(after.getBigUint64(l2)).toBe(odd);
    expect(after.getBigUint64(l2 + 8) >> 63n).toBe(1n);
    expect(findings.map(({ code }) => code)).toContain("QCOW2_RESERVED_BITS");
  });

  it("leaves the copied bit of an L1 entry with reserved bits alone", async () => {
    const { bytes, view } = await imageOf(false);
    const l1 = Number(view.getBigUint64(40));
    view.setBigUint64(l1, (view.getBigUint64(l1) & ~(1n << 63n)) | (1n << 57n));
    const odd = view.getBigUint64(l1);
    const file = new MemoryFile(bytes);
    const { findings } = await checkImage(file, { repair: "all" });
    expect(edit(file.toBytes()).getBigUint64(l1)).toBe(odd);
    const codes = findings.map(({ code }) => code);
    expect(codes).toContain("QCOW2_COPIED_BIT_WRONG");
    expect(codes).toContain("QCOW2_RESERVED_BITS");
  });

  it("lowers leaks beside a contradiction of subclusters, which leads nowhere", async () => {
    const { bytes, view, l2 } = await imageOf(true);
    // The first subcluster is allocated and reads as zeros; the second cluster is named no more.
    view.setUint32(l2 + 8, 1);
    for (const at of [l2 + 16, l2 + 24]) view.setBigUint64(at, 0n);
    const file = new MemoryFile(bytes);
    const { counters, findings } = await checkImage(file, { repair: "all" });
    expect(counters).toMatchObject({ leaks: 0, leaksFixed: 1 });
    expect(findings.map(({ code }) => code)).toEqual(["QCOW2_SUBCLUSTERS_INVALID"]);
  });
});

describe("a compressed entry with subclusters", () => {
  it.each([
    ["allocated", 12],
    ["zero", 8],
  ])("is wrong when its bitmap says that one is %s", async (_, at) => {
    const packed = new MemoryFile();
    const source = new MemoryFile(new Uint8Array(65536).fill(7));
    await convertImage(source, packed, {
      format: "qcow2",
      hasExtendedL2: true,
      compressed: "zlib",
      codec: nodeCodec,
    });
    expect((await checkImage(packed)).findings).toEqual([]);
    const damaged = packed.toBytes();
    const view = edit(damaged);
    const l2 = Number(view.getBigUint64(Number(view.getBigUint64(40))) & 0x00ff_ffff_ffff_fe00n);
    view.setUint32(l2 + at, 1);
    const { findings } = await checkImage(new MemoryFile(damaged));
    expect(findings.map(({ code }) => code)).toContain("QCOW2_COMPRESSED_ENTRY_INVALID");
  });
});

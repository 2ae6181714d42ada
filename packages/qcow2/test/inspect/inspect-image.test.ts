import { MemoryFile, observeFile } from "@box/io";
import { inspectImage, overlayBytes } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { changedImage, edit, withBackingName, withU64 } from "../../fixtures/build.ts";
import { bitmapImage, dataFileImage } from "../../fixtures/features.ts";

const overlay = { virtualSizeBytes: 2 ** 30, backingName: "/images/base.ext4" } as const;

async function inspect(bytes: Uint8Array, options?: Parameters<typeof inspectImage>[1]) {
  return inspectImage(new MemoryFile(bytes), options);
}

describe("inspectImage", () => {
  it("reads backing name, format and sizes", async () => {
    const info = await inspect(overlayBytes({ ...overlay, backingFormat: "raw" }));
    expect(info).toMatchObject({
      version: 3,
      virtualSizeBytes: 2n ** 30n,
      clusterSizeBytes: 65536,
      refcountBits: 16,
      compressionType: "zlib",
      encryption: "none",
      isDirty: false,
      backing: { name: "/images/base.ext4", format: "raw" },
    });
  });

  it("reads once, at most 64 KiB", async () => {
    const reads: number[] = [];
    const source = observeFile(new MemoryFile(changedImage(() => {})), ({ kind, length }) => {
      if (kind === "read") reads.push(length);
    });
    await inspectImage(source);
    expect(reads).toEqual([65536]);
  });

  it("reads a second time when the name lies past 64 KiB of a larger cluster", async () => {
    const bytes = new Uint8Array(0x200000);
    bytes.set(changedImage(() => {}).subarray(0, 0x1000));
    const view = edit(bytes);
    view.setUint32(20, 21);
    view.setBigUint64(40, 0x200000n);
    view.setBigUint64(48, 0x400000n);
    view.setUint32(56, 1);
    view.setBigUint64(8, 0x180000n);
    view.setUint32(16, 4);
    bytes.set([0x6e, 0x61, 0x6d, 0x65], 0x180000);
    let reads = 0;
    const info = await inspectImage(
      observeFile(new MemoryFile(bytes), ({ kind }) => {
        if (kind === "read") reads++;
      }),
    );
    expect(info.backing?.name).toBe("name");
    expect(reads).toBe(2);
  });

  it("reports a virtual size above 2^53 exactly", async () => {
    const bytes = changedImage((view) => {
      view.setUint32(20, 21);
      view.setBigUint64(24, 2n ** 60n - 1n);
      view.setUint32(36, 2 ** 21);
      view.setBigUint64(40, 0x200000n);
      view.setBigUint64(48, 0x400000n);
    });
    const info = await inspect(bytes);
    expect(info.virtualSizeBytes).toBe(2n ** 60n - 1n);
  });

  it("keeps the bytes of a name that is not UTF-8 and shows it with replacement characters", async () => {
    const name = new Uint8Array([0x2f, 0xff, 0x07]);
    const { backing } = await inspect(withBackingName(name));
    expect(backing).toMatchObject({ nameBytes: name, displayName: "/\uFFFD\uFFFD" });
    expect(backing).not.toHaveProperty("name");
  });

  it("reads an empty name as none and cuts one at a NUL when asked to be like QEMU", async () => {
    const empty = withBackingName(new Uint8Array(0));
    const cut = withBackingName(new Uint8Array([0x61, 0, 0x62]));
    expect((await inspect(empty, { compat: "qemu" })).backing).toBeUndefined();
    expect((await inspect(cut, { compat: "qemu" })).backing?.name).toBe("a");
  });

  it("reports unknown incompatible features with the image's own names for them", async () => {
    const bytes = changedImage((view, content) => {
      view.setBigUint64(72, (1n << 5n) | (1n << 40n));
      // The first entry of the feature name table now names bit 5.
      const entry = content.findIndex((_, at) => at > 112 && view.getUint32(at) === 0x6803f857) + 8;
      content[entry + 1] = 5;
      content.set([0x73, 0x75, 0x6e, 0x1b, 0], entry + 2);
    });
    const { features } = await inspect(bytes);
    expect(features.unknownIncompatible).toEqual([
      { kind: "incompatible", bit: 5, name: "sun\uFFFD" },
      { kind: "incompatible", bit: 40, name: "" },
    ]);
  });

  it("reports the external data file and whether it is raw", async () => {
    expect((await inspect(dataFileImage())).dataFile).toMatchObject({
      name: "missing-data.raw",
      isRaw: false,
    });
    const unnamed = await inspect(withU64(72, 4n));
    expect(unnamed.dataFile).toStrictEqual({ isRaw: false });
  });

  it("reports bitmaps, encryption and the dirty and corrupt bits", async () => {
    expect((await inspect(bitmapImage())).bitmaps).toMatchObject({ count: 1, lengthBytes: 32 });
    expect(await inspect(withU64(72, 3n))).toMatchObject({ isDirty: true, isMarkedCorrupt: true });
    const aes = changedImage((view) => view.setUint32(32, 1));
    expect((await inspect(aes)).encryption).toBe("aes");
  });

  it("needs no more of the file than its first cluster", async () => {
    const info = await inspect(changedImage(() => {}).slice(0, 65536));
    expect(info.virtualSizeBytes).toBe(2n ** 30n);
  });

  it("stops when it is aborted", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(
      inspect(
        changedImage(() => {}),
        { signal },
      ),
    ).rejects.toMatchObject({
      code: "QCOW2_ABORTED",
      kind: "aborted",
    });
  });
});

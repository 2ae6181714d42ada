import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MemoryFile } from "@box/io";
import { openFile } from "@box/io/node";
import { allowList, checkStructure, createImage, openImage } from "@box/qcow2";
import { openImageFile, withinDirectory } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { recorded } from "../support/disk-script.ts";
import { hasQemuImg, qemuImg, qemuVerdict, temporaryFolder } from "../support/qemu.ts";

describe("Qcow2Image.resize", () => {
  it("refuses a smaller disk without being told so and a disk that is too large, and changes nothing", async () => {
    const file = new MemoryFile();
    await createImage(file, { virtualSizeBytes: 2 ** 20, clusterSizeBytes: 512 });
    const before = file.toBytes();
    const image = await openImage(file, { mode: "rw" });
    await expect(image.resize(1)).rejects.toMatchObject({ code: "QCOW2_INVALID_ARGUMENT" });
    const both = { shrink: true, preallocation: "full" } as const;
    await expect(image.resize(1, both)).rejects.toMatchObject({ code: "QCOW2_INVALID_ARGUMENT" });
    await expect(image.resize(0.5)).rejects.toMatchObject({ code: "QCOW2_INVALID_ARGUMENT" });
    await expect(image.resize(2 ** 50)).rejects.toMatchObject({ code: "QCOW2_IMAGE_TOO_LARGE" });
    expect(Buffer.compare(file.toBytes(), before)).toBe(0);
  });

  it.for([512, 65536])(
    "leaves the old disk or the new one after any crash (clusters of %i)",
    async (cluster) => {
      const memory = new MemoryFile();
      const size = 30 * cluster + 100;
      await createImage(memory, {
        virtualSizeBytes: size,
        clusterSizeBytes: cluster,
        backing: { name: "b", format: "raw" },
      });
      const base = new MemoryFile(new Uint8Array(90 * cluster).fill(0xbb));
      const backing = allowList([{ name: "b", open: () => ({ source: base }) }]);
      const start = memory.toBytes();
      const { file, log } = recorded(memory);
      const image = await openImage(file, { mode: "rw", backing });
      await image.resize(9000 * cluster);
      await image.write(8999 * cluster, Uint8Array.of(7));
      await image.close();
      for (let end = 0; end <= log.length; end++) {
        const crashed = new MemoryFile(start);
        for (const entry of log.slice(0, end)) {
          if (entry.kind === "write") await crashed.write(entry.offset, entry.bytes);
        }
        await checkStructure(crashed);
        const found = await openImage(crashed, { backing });
        expect([size, 9000 * cluster]).toContain(found.sizeBytes);
        expect((await found.read(size - 1, 1))[0]).toBe(0xbb);
        if (found.sizeBytes === size) continue;
        const shown = await found.read(size, 60 * cluster);
        expect(shown.every((byte) => byte === 0)).toBe(true);
      }
      expect(await checkStructure(memory)).toMatchObject({ leaks: 0 });
    },
  );
});

describe.skipIf(!hasQemuImg)("a disk that was made larger here, as QEMU sees it", () => {
  const cases = ["", ",compat=0.10", ",cluster_size=512", ",extended_l2=on", ",refcount_bits=1"];
  it.for(cases)("equals one that QEMU made larger%s", async (options) => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "base.raw"), new Uint8Array(3 * 2 ** 20).fill(5));
    // QEMU 7.2 cannot hide a longer backing file in version 2.
    const name = options.includes("compat") ? "short.raw" : "base.raw";
    writeFileSync(join(folder.path, "short.raw"), new Uint8Array(500_000).fill(5));
    const backed = ["-b", name, "-F", "raw", "-o", `lazy_refcounts=off${options}`];
    for (const image of ["i.qcow2", "q.qcow2"]) {
      qemuImg(folder.path, "create", "-q", "-f", "qcow2", ...backed, image, "1000000");
    }
    const path = join(folder.path, "i.qcow2");
    {
      const backing = withinDirectory(folder.path);
      await using image = await openImageFile(path, { mode: "rw", backing });
      await image.resize(200 * 2 ** 20);
    }
    chmodSync(path, 0o644);
    qemuImg(folder.path, "resize", "-q", "-f", "qcow2", "q.qcow2", String(200 * 2 ** 20));
    expect(qemuVerdict(folder.path, "i.qcow2")).toBe("clean");
    const compare = ["compare", "-f", "qcow2", "-F", "qcow2", "i.qcow2", "q.qcow2"];
    expect(qemuImg(folder.path, ...compare)).toContain("identical");
    await using file = await openFile(path);
    expect(await checkStructure(file)).toMatchObject({ leaks: 0 });
    expect(readFileSync(path).byteLength).toBeLessThan(2 ** 24);
  });
});

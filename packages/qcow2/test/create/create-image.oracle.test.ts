import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { MemoryFile } from "@box/io";
import { type CreateImageOptions, checkStructure, createImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { hasQemuImg, qemuImg, qemuIo, temporaryFolder } from "../support/qemu.ts";

const size = 9 * 2 ** 20 + 512;
const base = { name: "base.raw", format: "raw" };

const cases: Record<string, Partial<CreateImageOptions>> = {
  "the defaults": {},
  "version 2": { version: 2 },
  "version 2 with a backing file": { version: 2, backing: base },
  "a disk of no bytes": { virtualSizeBytes: 0 },
  ...Object.fromEntries(
    [1, 2, 4, 8, 16, 32, 64].map((refcountBits) => [
      `refcounts of ${refcountBits} bits`,
      { refcountBits, clusterSizeBytes: 512 },
    ]),
  ),
  ...Object.fromEntries(
    [512, 1024, 4096, 65536, 2 ** 21].map((clusterSizeBytes) => [
      `clusters of ${clusterSizeBytes}`,
      { clusterSizeBytes, backing: base },
    ]),
  ),
  "preallocated metadata": { preallocation: "metadata" },
  "preallocated metadata in clusters of 512": {
    preallocation: "metadata",
    clusterSizeBytes: 512,
    refcountBits: 64,
  },
  "full preallocation in clusters of 2 MiB": { preallocation: "full", clusterSizeBytes: 2 ** 21 },
  "extended L2 entries": { hasExtendedL2: true },
  "extended L2 entries, preallocated on a backing file": {
    hasExtendedL2: true,
    clusterSizeBytes: 16384,
    preallocation: "metadata",
    backing: base,
  },
  "zstd and lazy refcounts": { compressionType: "zstd", hasLazyRefcounts: true },
  "an external data file": { dataFile: { name: "data.raw" } },
  "a raw external data file": { dataFile: { name: "data.raw", isRaw: true } },
  "a raw external data file, written in full": {
    dataFile: { name: "data.raw", isRaw: true },
    preallocation: "full",
  },
};

describe.skipIf(!hasQemuImg)(
  "images that are made here, as QEMU sees them",
  { timeout: 60_000 },
  () => {
    it.for(Object.keys(cases))(
      "with %s: sound, of the right size and content, and writable",
      async (name) => {
        using folder = temporaryFolder();
        const options: CreateImageOptions = { virtualSizeBytes: size, ...cases[name] };
        const target = new MemoryFile();
        const data = new MemoryFile();
        const dataFile = options.dataFile && { ...options.dataFile, target: data };
        await createImage(target, { ...options, ...(dataFile && { dataFile }) });
        await expect(checkStructure(target)).resolves.toMatchObject({ leaks: 0 });
        writeFileSync(join(folder.path, "base.raw"), new Uint8Array(size).fill(6));
        writeFileSync(join(folder.path, "i.qcow2"), target.toBytes());
        if (dataFile) writeFileSync(join(folder.path, "data.raw"), data.toBytes());
        expect(qemuImg(folder.path, "check", "-f", "qcow2", "i.qcow2")).toContain("No errors");
        const info = JSON.parse(qemuImg(folder.path, "info", "--output=json", "i.qcow2"));
        expect(info["virtual-size"]).toBe(Math.floor(options.virtualSizeBytes / 512) * 512);
        if (options.virtualSizeBytes === 0) return;
        const byte = options.backing ? 6 : 0;
        qemuIo(
          folder.path,
          "i.qcow2",
          `read -P ${byte} 0 ${size}`,
          "write -P 3 100k 70k",
          "write -z 5M 100k",
        );
        expect(qemuImg(folder.path, "check", "-f", "qcow2", "i.qcow2")).toContain("No errors");
        if (dataFile?.isRaw) qemuIo(folder.path, "data.raw", "read -P 3 100k 70k");
      },
    );
  },
);

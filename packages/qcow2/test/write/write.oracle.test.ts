import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { checkStructure, createImage, openImage } from "@box/qcow2";
import { nodeCodec, openImageFile, withinDirectory } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { hasQemuImg, qemuImg, qemuIo, qemuVerdict, temporaryFolder } from "../support/qemu.ts";

const clusterSizes = Array.from({ length: 13 }, (_, index) => 512 * 2 ** index);
const refcountWidths = [1, 2, 4, 8, 16, 32, 64];

/** Writes over a disk that has content already: parts, whole clusters, zeros and discards. */
async function change(path: string, model: Uint8Array, clusterSize: number): Promise<void> {
  const folder = withinDirectory(join(path, ".."));
  await using image = await openImageFile(path, { mode: "rw", backing: folder, dataFile: folder });
  const put = async (offset: number, length: number, value: number): Promise<void> => {
    const bytes = new Uint8Array(length).fill(value);
    await image.write(offset, bytes);
    model.set(bytes, offset);
  };
  await put(0, 100, 1);
  await put(clusterSize - 50, clusterSize * 2 + 100, 2);
  await put(model.byteLength - 700, 700, 3);
  await put(Math.floor(model.byteLength / 2) - 3, 5, 4);
  await image.writeZeroes(clusterSize + 10, clusterSize * 2);
  model.fill(0, clusterSize + 10, clusterSize * 3 + 10);
  await image.flush();
  await put(clusterSize * 2, 10, 5);
  const found = await image.read(0, model.byteLength);
  expect(Buffer.compare(found, model)).toBe(0);
}

/** QEMU finds no fault, reads the same bytes, and can write where this package wrote. */
function requireQemuAgrees(folder: string, model: Uint8Array): void {
  expect(qemuVerdict(folder, "i.qcow2")).toBe("clean");
  writeFileSync(join(folder, "expected.raw"), model);
  const compare = ["compare", "-f", "raw", "-F", "qcow2", "expected.raw", "i.qcow2"];
  expect(qemuImg(folder, ...compare)).toContain("identical");
  qemuIo(folder, "i.qcow2", "write -P 9 1000 5000");
  qemuIo(folder, "i.qcow2", "read -P 9 1000 5000");
  expect(qemuVerdict(folder, "i.qcow2")).toBe("clean");
}

describe.skipIf(!hasQemuImg)("what is written here, as QEMU sees it", () => {
  const cases = [
    ...clusterSizes.map((clusterSizeBytes) => ({ clusterSizeBytes, refcountBits: 16 })),
    ...refcountWidths.map((refcountBits) => ({ clusterSizeBytes: 4096, refcountBits })),
  ];
  it.for(cases)(
    "clusters of $clusterSizeBytes, refcounts of $refcountBits bits",
    async (options) => {
      using folder = temporaryFolder();
      const { clusterSizeBytes } = options;
      const path = join(folder.path, "i.qcow2");
      const size = Math.max(8 * clusterSizeBytes, 65536) + 512;
      {
        await using file = await openFile(path, { mode: "create" });
        await createImage(file, { virtualSizeBytes: size, ...options });
      }
      chmodSync(path, 0o644);
      const model = new Uint8Array(size);
      await change(path, model, clusterSizeBytes);
      requireQemuAgrees(folder.path, model);
    },
  );
});

const qemuLayouts: Readonly<Record<string, string>> = {
  "compat=0.10": "compat=0.10",
  "compressed clusters": "cluster_size=64k",
  "zstd clusters": "compression_type=zstd",
  "extended_l2=on": "extended_l2=on",
  "lazy refcounts": "lazy_refcounts=on",
  "a data file": "data_file=d.raw",
  "a raw data file": "data_file=d.raw,data_file_raw=on",
};

describe.skipIf(!hasQemuImg)("writing to what QEMU wrote", () => {
  it.for(Object.keys(qemuLayouts))("with %s", async (name) => {
    using folder = temporaryFolder();
    const size = 2 ** 20;
    const options = qemuLayouts[name] ?? "";
    qemuImg(folder.path, "create", "-q", "-f", "qcow2", "-o", options, "i.qcow2", String(size));
    if (!/data file/.test(name)) qemuIo(folder.path, "i.qcow2", "write -c -P 8 0 256k");
    qemuIo(folder.path, "i.qcow2", "write -P 7 256k 700k", "write -z 300k 100k");
    qemuImg(folder.path, "convert", "-f", "qcow2", "-O", "raw", "i.qcow2", "before.raw");
    const model = new Uint8Array(readFileSync(join(folder.path, "before.raw")));
    await change(join(folder.path, "i.qcow2"), model, 65536);
    requireQemuAgrees(folder.path, model);
  });

  it.for(["", "extended_l2=on"])(
    "with internal snapshots, which keep their content (%s)",
    async (extra) => {
      using folder = temporaryFolder();
      const options = ["-o", `cluster_size=16k,${extra}`.replace(/,$/, "")];
      qemuImg(folder.path, "create", "-q", "-f", "qcow2", ...options, "i.qcow2", "1M");
      qemuIo(folder.path, "i.qcow2", "write -P 1 0 512k", "write -c -P 2 512k 64k");
      qemuImg(folder.path, "snapshot", "-c", "first", "i.qcow2");
      const rawOf = (name: string): Buffer => readFileSync(join(folder.path, name));
      qemuImg(folder.path, "convert", "-f", "qcow2", "-O", "raw", "i.qcow2", "first.raw");
      const model = new Uint8Array(rawOf("first.raw"));
      await change(join(folder.path, "i.qcow2"), model, 16384);
      qemuImg(folder.path, "convert", "-l", "first", "-O", "raw", "i.qcow2", "again.raw");
      expect(Buffer.compare(rawOf("again.raw"), rawOf("first.raw"))).toBe(0);
      requireQemuAgrees(folder.path, model);
      await using file = await openFile(join(folder.path, "i.qcow2"));
      expect(await checkStructure(file)).toMatchObject({ leaks: 0 });
      await using image = await openImage(file, { codec: nodeCodec });
      const snapshot = await image.openSnapshot("first");
      expect(Buffer.compare(await snapshot.read(0, 2 ** 20), rawOf("first.raw"))).toBe(0);
    },
  );

  it("on a chain of backing files", async () => {
    using folder = temporaryFolder();
    qemuImg(folder.path, "create", "-q", "-f", "qcow2", "base.qcow2", "700k");
    qemuIo(folder.path, "base.qcow2", "write -P 6 0 700k");
    const backed = ["-b", "base.qcow2", "-F", "qcow2"];
    qemuImg(folder.path, "create", "-q", "-f", "qcow2", ...backed, "i.qcow2", "1M");
    const model = new Uint8Array(2 ** 20);
    model.fill(6, 0, 700 * 1024);
    await change(join(folder.path, "i.qcow2"), model, 65536);
    requireQemuAgrees(folder.path, model);
  });
});

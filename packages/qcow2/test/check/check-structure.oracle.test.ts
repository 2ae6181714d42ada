import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MemoryFile } from "@box/io";
import { checkStructure } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { hasQemuImg, qemuImg, qemuIo, temporaryFolder } from "../support/qemu.ts";

const writes = ["write -P 1 0 300k", "write -P 2 5M 64k", "write -z 1M 128k", "write -P 3 3M 512"];

describe.skipIf(!hasQemuImg)("images that QEMU made are sound", { timeout: 60_000 }, () => {
  it.for([
    ["compat=0.10"],
    ["compat=1.1"],
    ["cluster_size=512"],
    ["cluster_size=2M"],
    ["refcount_bits=1"],
    ["refcount_bits=2,cluster_size=4k"],
    ["refcount_bits=64,cluster_size=1k"],
    ["lazy_refcounts=on"],
    ["extended_l2=on"],
    ["extended_l2=on,cluster_size=16k"],
    ["preallocation=metadata"],
    ["preallocation=full,cluster_size=4k"],
    ["compression_type=zstd"],
    ["data_file=d.raw"],
    ["data_file=d.raw,data_file_raw=on"],
  ])("created with %s", async ([options]) => {
    using folder = temporaryFolder();
    qemuImg(folder.path, "create", "-q", "-f", "qcow2", "-o", options ?? "", "i.qcow2", "8M");
    qemuIo(folder.path, "i.qcow2", ...writes);
    const canCompress = !/data_file|preallocation|2M/.test(options ?? "");
    if (canCompress) qemuIo(folder.path, "i.qcow2", "write -c -P 4 6M 128k");
    const report = await checkStructure(new MemoryFile(readFileSync(join(folder.path, "i.qcow2"))));
    expect(report.leaks).toBe(0);
  });

  it("with internal snapshots and bitmaps", async () => {
    using folder = temporaryFolder();
    qemuImg(folder.path, "create", "-q", "-f", "qcow2", "i.qcow2", "8M");
    qemuIo(folder.path, "i.qcow2", ...writes);
    qemuImg(folder.path, "snapshot", "-c", "one", "i.qcow2");
    qemuIo(folder.path, "i.qcow2", "write -P 9 0 64k");
    qemuImg(folder.path, "snapshot", "-c", "two", "i.qcow2");
    qemuImg(folder.path, "bitmap", "--add", "i.qcow2", "b0");
    qemuIo(folder.path, "i.qcow2", "write -P 8 2M 64k");
    const report = await checkStructure(new MemoryFile(readFileSync(join(folder.path, "i.qcow2"))));
    expect(report).toMatchObject({ leaks: 0, info: { snapshots: { entries: 2 } } });
  });

  it("with many L2 tables, in file order or not", async () => {
    using folder = temporaryFolder();
    qemuImg(folder.path, "create", "-q", "-f", "qcow2", "-o", "cluster_size=4k", "i.qcow2", "1G");
    const scattered = Array.from({ length: 200 }, (_, i) => `write -P 5 ${(i * 37) % 500}M 4k`);
    qemuIo(folder.path, "i.qcow2", ...scattered);
    const bytes = readFileSync(join(folder.path, "i.qcow2"));
    writeFileSync(join(folder.path, "copy.qcow2"), bytes);
    await expect(checkStructure(new MemoryFile(bytes))).resolves.toMatchObject({ leaks: 0 });
  });
});

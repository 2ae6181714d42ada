import { chmodSync, copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { type AmendImageOptions, amendImage, compareImages } from "@box/qcow2";
import { openImageFile, withinDirectory } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { hasQemuImg, qemuImg, qemuIo, qemuVerdict, temporaryFolder } from "../support/qemu.ts";

interface Case {
  readonly from: string;
  readonly to: string;
  readonly ours: AmendImageOptions;
  readonly hasBase?: boolean;
  readonly hasSnapshot?: boolean;
}

const cases: readonly Case[] = [
  { from: "compat=1.1", to: "compat=0.10", ours: { version: 2 } },
  { from: "compat=1.1", to: "compat=0.10", ours: { version: 2 }, hasBase: true },
  { from: "cluster_size=4k", to: "compat=0.10", ours: { version: 2 }, hasBase: true },
  { from: "compat=1.1", to: "compat=0.10", ours: { version: 2 }, hasSnapshot: true },
  {
    from: "cluster_size=512",
    to: "compat=0.10",
    ours: { version: 2 },
    hasBase: true,
    hasSnapshot: true,
  },
  { from: "compat=0.10", to: "compat=1.1", ours: { version: 3 }, hasBase: true },
  { from: "compat=0.10", to: "compat=1.1", ours: { version: 3 }, hasSnapshot: true },
  {
    from: "compat=0.10",
    to: "compat=1.1,lazy_refcounts=on,refcount_bits=8",
    ours: { version: 3, hasLazyRefcounts: true, refcountBits: 8 },
  },
  { from: "compat=1.1", to: "refcount_bits=64", ours: { refcountBits: 64 }, hasSnapshot: true },
  {
    from: "cluster_size=512",
    to: "refcount_bits=32",
    ours: { refcountBits: 32 },
    hasSnapshot: true,
  },
  {
    from: "refcount_bits=1,cluster_size=4k",
    to: "refcount_bits=16,compat=0.10",
    ours: { version: 2, refcountBits: 16 },
  },
  { from: "lazy_refcounts=on", to: "lazy_refcounts=off", ours: { hasLazyRefcounts: false } },
];

function makeDisk(folder: string, { from, hasBase, hasSnapshot }: Case): void {
  writeFileSync(join(folder, "base.raw"), new Uint8Array(3 * 2 ** 20).fill(5));
  const backed = hasBase ? ["-b", "base.raw", "-F", "raw"] : [];
  qemuImg(folder, "create", "-q", "-f", "qcow2", "-o", from, ...backed, "i.qcow2", "4M");
  const writes = ["write -q -P 7 700k 99k", "write -q -z 1M 512k", "write -q -c -P 2 3M 64k"];
  qemuIo(folder, "i.qcow2", ...writes, "write -q -P 3 2M 128k", "write -q -z 2M 64k");
  if (hasSnapshot) {
    qemuImg(folder, "snapshot", "-c", "one", "i.qcow2");
    qemuIo(folder, "i.qcow2", "write -q -P 4 700k 64k");
  }
  qemuImg(folder, "convert", "-f", "qcow2", "-O", "raw", "i.qcow2", "flat.raw");
}

describe.skipIf(!hasQemuImg)("amendImage, beside qemu-img amend", () => {
  it.for(cases)("from $from to $to (base: $hasBase, snapshot: $hasSnapshot)", async (given) => {
    using folder = temporaryFolder();
    makeDisk(folder.path, given);
    copyFileSync(join(folder.path, "i.qcow2"), join(folder.path, "q.qcow2"));
    const path = join(folder.path, "i.qcow2");
    {
      await using file = await openFile(path, { mode: "rw" });
      await amendImage(file, given.ours);
    }
    chmodSync(path, 0o644);
    qemuImg(folder.path, "amend", "-f", "qcow2", "-o", given.to, "q.qcow2");
    expect(qemuVerdict(folder.path, "i.qcow2")).toBe("clean");
    const info = (name: string) => {
      const said = JSON.parse(qemuImg(folder.path, "info", "--output=json", name));
      return { ...said, "actual-size": 0, filename: "" };
    };
    expect(info("i.qcow2")).toEqual(info("q.qcow2"));
    const compare = ["compare", "-f", "qcow2", "-F", "raw", "i.qcow2", "flat.raw"];
    expect(qemuImg(folder.path, ...compare)).toBe("Images are identical.\n");
    const backing = withinDirectory(folder.path);
    await using theirs = await openImageFile(join(folder.path, "q.qcow2"), { backing });
    await using flat = await openFile(join(folder.path, "flat.raw"));
    expect(await compareImages(theirs, flat)).toEqual({ isIdentical: true, hasSameSize: true });
    qemuIo(folder.path, "i.qcow2", "write -q -P 9 0 4M");
    expect(qemuVerdict(folder.path, "i.qcow2")).toBe("clean");
    if (!given.hasSnapshot) return;
    qemuImg(folder.path, "snapshot", "-a", "one", "i.qcow2");
    const zeros = ["read -q -P 0 1M 512k", "read -q -P 0 2M 64k", "read -q -P 3 2112k 64k"];
    qemuIo(folder.path, "i.qcow2", "read -q -P 7 700k 99k", "read -q -P 2 3M 64k", ...zeros);
    expect(qemuVerdict(folder.path, "i.qcow2")).toBe("clean");
  });

  it("refuses refcounts that are too narrow for snapshots, and version 2 with snapshots of another size, as it does", async () => {
    using folder = temporaryFolder();
    makeDisk(folder.path, { from: "compat=1.1", to: "", ours: {}, hasSnapshot: true });
    await using file = await openFile(join(folder.path, "i.qcow2"), { mode: "rw" });
    await expect(amendImage(file, { refcountBits: 1 })).rejects.toMatchObject({
      code: "QCOW2_INVALID_ARGUMENT",
    });
    const amending = () => qemuImg(folder.path, "amend", "-o", "refcount_bits=1", "i.qcow2");
    expect(amending).toThrow(/refcount/);
    expect(qemuVerdict(folder.path, "i.qcow2")).toBe("clean");
    qemuImg(folder.path, "resize", "-q", "-f", "qcow2", "i.qcow2", "8M");
    await expect(amendImage(file, { version: 2 })).rejects.toMatchObject({
      code: "QCOW2_UNSUPPORTED_FEATURE",
    });
    const downgrading = () => qemuImg(folder.path, "amend", "-o", "compat=0.10", "i.qcow2");
    expect(downgrading).toThrow(/snapshots prevent downgrade/);
    expect(qemuVerdict(folder.path, "i.qcow2")).toBe("clean");
  });
});

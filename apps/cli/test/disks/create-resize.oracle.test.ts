import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { output } from "../../src/commands/disk-create/schemas.ts";
import { diskFolder, qemuImg, qemuImgStatus, qemuIo } from "../support/qemu.ts";
import { canRun } from "../support/spawn-box.ts";

const hasQemu = canRun("qemu-img", "--version");

/** What qemu-img says of an image, without what depends on the file system. */
function infoOf(folder: string, file: string) {
  const {
    "actual-size": _,
    filename,
    ...info
  } = JSON.parse(qemuImg(folder, "info", "--output=json", "-f", "qcow2", file));
  return info;
}

describe.skipIf(!hasQemu)("box disk create", () => {
  test.each([
    [[], []],
    [
      ["--compat", "0.10"],
      ["-o", "compat=0.10"],
    ],
    [
      ["--cluster-size", "4KiB", "--refcount-bits", "1"],
      ["-o", "cluster_size=4k,refcount_bits=1"],
    ],
    [
      ["--extended-l2", "--lazy-refcounts"],
      ["-o", "extended_l2=on,lazy_refcounts=on"],
    ],
    [
      ["--compression", "zstd"],
      ["-o", "compression_type=zstd"],
    ],
    [
      ["--preallocation", "metadata"],
      ["-o", "preallocation=metadata"],
    ],
    [
      ["--preallocation", "full"],
      ["-o", "preallocation=full"],
    ],
  ])("with %j is what qemu-img makes with %j", async (ours, theirs) => {
    const { path, box } = await diskFolder();
    const run = await box("disk", "create", "d.qcow2", "8MiB", ...ours, "--format", "json");
    const said = JSON.parse(run.stdout);
    expect(output.parse(said)).toEqual(said);
    expect(said).toMatchObject({ format: "qcow2", virtualSizeBytes: 8 * 2 ** 20 });
    qemuImg(path, "create", "-q", "-f", "qcow2", ...theirs, "q.qcow2", "8M");
    expect(infoOf(path, "d.qcow2")).toEqual(infoOf(path, "q.qcow2"));
    expect(qemuImgStatus(path, "check", "d.qcow2")).toBe(0);
  });

  test("makes an overlay as large as its base, which it looks at and does not guess", async () => {
    const { path, box } = await diskFolder();
    qemuImg(path, "create", "-q", "-f", "raw", "base.raw", "3M");
    const flags = ["--backing", "base.raw", "--backing-format"];
    expect(await box("disk", "create", "o.qcow2", ...flags, "raw")).toMatchObject({ exitCode: 0 });
    expect(infoOf(path, "o.qcow2")).toMatchObject({
      "virtual-size": 3 * 2 ** 20,
      "backing-filename": "base.raw",
      "backing-filename-format": "raw",
    });
    const larger = await box(
      "disk",
      "create",
      "p.qcow2",
      "1000",
      "--backing",
      "o.qcow2",
      "--backing-format",
      "qcow2",
    );
    expect(larger.exitCode).toBe(0);
    expect(infoOf(path, "p.qcow2")["virtual-size"]).toBe(1024);
    const wrong = await box("disk", "create", "x.qcow2", ...flags, "qcow2");
    expect(wrong.exitCode).toBe(5);
    expect(wrong.stderr).toMatch(/^ {2}try +.*--backing-format raw/m);
    const unnamed = await box("disk", "create", "x.qcow2", "1M", "--backing", "base.raw");
    expect(unnamed.exitCode).toBe(2);
    const missing = await box(
      "disk",
      "create",
      "x.qcow2",
      "1M",
      "--backing",
      "no",
      "--backing-format",
      "raw",
    );
    expect(missing.exitCode).toBe(10);
    expect((await box("disk", "create", "x.qcow2")).exitCode).toBe(2);
    expect(readdirSync(path).sort()).toEqual(["base.raw", "o.qcow2", "p.qcow2"]);
  });

  test("makes the data file too, and neither when one of them is there", async () => {
    const { path, box } = await diskFolder();
    const create = (...more: string[]) =>
      box("disk", "create", "d.qcow2", "2MiB", "--data-file", "d.data", ...more);
    expect((await create("--data-file-raw")).exitCode).toBe(0);
    expect(statSync(join(path, "d.data")).size).toBe(2 * 2 ** 20);
    expect(qemuImgStatus(path, "check", "d.qcow2")).toBe(0);
    expect((await create()).exitCode).toBe(4);
    expect((await create("--force")).exitCode).toBe(0);
    const other = await box("disk", "create", "e.qcow2", "2MiB", "--data-file", "d.data");
    expect(other.exitCode).toBe(4);
    expect(readdirSync(path).sort()).toEqual(["d.data", "d.qcow2"]);
  });

  test("makes raw disks, to which flags of images mean nothing", async () => {
    const { path, box } = await diskFolder();
    expect((await box("disk", "create", "-f", "raw", "r.img", "1MiB")).stdout).toContain("raw");
    expect(statSync(join(path, "r.img"))).toMatchObject({ size: 2 ** 20, blocks: 0 });
    const odd = await box("disk", "create", "-f", "raw", "s.img", "1MiB", "--extended-l2");
    expect(odd.exitCode).toBe(2);
    expect((await box("disk", "create", "t.img", "a lot")).exitCode).toBe(2);
    expect((await box("disk", "create", "t.img", "1M", "--cluster-size", "3000")).exitCode).toBe(2);
  });
});

describe.skipIf(!hasQemu)("box disk resize", () => {
  test("grows to a size and by a size, and leaves an image that qemu-img finds clean", async () => {
    const { path, box } = await diskFolder();
    qemuImg(path, "create", "-q", "-f", "qcow2", "d.qcow2", "1M");
    await box("disk", "resize", "d.qcow2", "2MiB");
    const run = await box("disk", "resize", "d.qcow2", "+1GiB", "--format", "json");
    expect(JSON.parse(run.stdout)).toEqual({
      file: "d.qcow2",
      format: "qcow2",
      oldSizeBytes: 2 * 2 ** 20,
      virtualSizeBytes: 2 ** 30 + 2 * 2 ** 20,
    });
    expect(infoOf(path, "d.qcow2")["virtual-size"]).toBe(2 ** 30 + 2 * 2 ** 20);
    expect(qemuImgStatus(path, "check", "d.qcow2")).toBe(0);
  });

  test("cuts only with --shrink", async () => {
    const { path, box } = await diskFolder();
    writeFileSync(join(path, "r.img"), new Uint8Array(8192).fill(7));
    const refused = await box("disk", "resize", "-f", "raw", "r.img", "4096");
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain("--shrink");
    expect(statSync(join(path, "r.img")).size).toBe(8192);
    expect((await box("disk", "resize", "-f", "raw", "--shrink", "r.img", "4096")).exitCode).toBe(
      0,
    );
    expect(readFileSync(join(path, "r.img"))).toEqual(Buffer.alloc(4096, 7));
    await box("disk", "resize", "-f", "raw", "--shrink", "r.img", "--", "-1024");
    expect(statSync(join(path, "r.img")).size).toBe(3072);
    const below = await box("disk", "resize", "-f", "raw", "--shrink", "r.img", "--", "-1M");
    expect(below.exitCode).toBe(2);
  });

  test.each(["compat=1.1", "cluster_size=4k", "compat=0.10", "extended_l2=on"])(
    "cuts an image with %s to what qemu-img cuts it to, and gives the space back",
    async (option) => {
      const { path, box } = await diskFolder();
      qemuImg(path, "create", "-q", "-f", "qcow2", "-o", option, "d.qcow2", "4M");
      qemuIo(path, "d.qcow2", "write -q -P 5 0 3M", "write -q -z 1M 64k");
      copyFileSync(join(path, "d.qcow2"), join(path, "q.qcow2"));
      const before = readFileSync(join(path, "d.qcow2"));
      const refused = await box("disk", "resize", "d.qcow2", "1MiB");
      expect(refused.exitCode).toBe(2);
      expect(refused.stderr).toContain("--shrink");
      expect(readFileSync(join(path, "d.qcow2"))).toEqual(before);
      const size = 2 ** 20 + 66_048;
      const run = await box("disk", "resize", "--shrink", "d.qcow2", String(size));
      expect(run.exitCode).toBe(0);
      qemuImg(path, "resize", "-q", "--shrink", "q.qcow2", String(size));
      expect(infoOf(path, "d.qcow2")["virtual-size"]).toBe(size);
      expect(qemuImgStatus(path, "check", "d.qcow2")).toBe(0);
      expect(qemuImgStatus(path, "compare", "d.qcow2", "q.qcow2")).toBe(0);
      expect(statSync(join(path, "d.qcow2")).size).toBeLessThan(2 ** 21);
      // What is added then is zeros, not what was there before.
      expect((await box("disk", "resize", "d.qcow2", "4MiB")).exitCode).toBe(0);
      qemuIo(path, "d.qcow2", `read -q -P 0 ${size} ${4 * 2 ** 20 - size}`);
    },
  );

  test("cuts no disk of version 2 with snapshots, and leaves what snapshots have", async () => {
    const { path, box } = await diskFolder();
    const make = (...options: string[]) => {
      qemuImg(path, "create", "-q", "-f", "qcow2", ...options, "d.qcow2", "1M");
      qemuIo(path, "d.qcow2", "write -q -P 5 0 1M");
    };
    const shrink = () => box("disk", "resize", "--shrink", "d.qcow2", "64KiB");
    const expectRefused = async () => {
      const before = readFileSync(join(path, "d.qcow2"));
      const run = await shrink();
      expect(run).toMatchObject({ exitCode: 9, stdout: "" });
      expect(run.stderr).toMatch(/^error\[QCOW2_UNSUPPORTED_FEATURE\]: d\.qcow2: /);
      expect(readFileSync(join(path, "d.qcow2"))).toEqual(before);
    };
    make("-o", "compat=0.10");
    qemuImg(path, "snapshot", "-c", "one", "d.qcow2");
    await expectRefused();
    expect(qemuImgStatus(path, "resize", "--shrink", "d.qcow2", "64k")).toBe(1);
    make();
    qemuImg(path, "snapshot", "-c", "one", "d.qcow2");
    expect((await shrink()).exitCode).toBe(0);
    expect(qemuImgStatus(path, "check", "d.qcow2")).toBe(0);
    qemuImg(path, "snapshot", "-a", "one", "d.qcow2");
    qemuIo(path, "d.qcow2", "read -q -P 5 0 1M");
  });
});

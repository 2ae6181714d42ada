import { readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { output as amendOutput } from "../../src/commands/disk-amend/schemas.ts";
import { diskFolder, qemuImg, qemuImgStatus, qemuIo } from "../support/qemu.ts";
import { canRun } from "../support/spawn-box.ts";

const hasQemu = canRun("qemu-img", "--version");

/** What QEMU says of the format of an image. */
function factsOf(path: string, name: string): Record<string, unknown> {
  return JSON.parse(qemuImg(path, "info", "--output=json", name))["format-specific"].data;
}

describe.skipIf(!hasQemu)("box disk amend", () => {
  test("changes version, refcounts and lazy refcounts as QEMU sees it, and nothing else", async () => {
    const { path, box } = await diskFolder();
    qemuImg(path, "create", "-q", "-f", "qcow2", "-o", "compat=0.10", "d.qcow2", "2M");
    qemuIo(path, "d.qcow2", "write -q -P 3 64k 64k");
    qemuImg(path, "convert", "-O", "raw", "d.qcow2", "content.raw");
    const flags = ["--compat", "1.1", "--refcount-bits", "64", "--lazy-refcounts", "on"];
    const run = await box("disk", "amend", "d.qcow2", ...flags, "--format", "json");
    const said = JSON.parse(run.stdout);
    expect(amendOutput.parse(said)).toEqual(said);
    expect(said).toEqual({ file: "d.qcow2", compat: "1.1", refcountBits: 64, lazyRefcounts: true });
    expect(factsOf(path, "d.qcow2")).toMatchObject({
      compat: "1.1",
      "refcount-bits": 64,
      "lazy-refcounts": true,
    });
    const back = ["--compat", "0.10", "--refcount-bits", "16"];
    const older = await box("disk", "amend", "d.qcow2", "--lazy-refcounts", "off", ...back);
    expect(older.stdout).toMatch(/compat +0\.10\n.*refcount bits +16\n.*lazy refcounts +off/);
    expect(factsOf(path, "d.qcow2")).toMatchObject({ compat: "0.10", "refcount-bits": 16 });
    expect(qemuImgStatus(path, "check", "d.qcow2")).toBe(0);
    expect(qemuImgStatus(path, "compare", "-F", "raw", "d.qcow2", "content.raw")).toBe(0);
  });

  test("names a data file that was moved, and gives up that it is raw", async () => {
    const { path, box } = await diskFolder();
    const data = "data_file=d.raw,data_file_raw=on";
    qemuImg(path, "create", "-q", "-f", "qcow2", "-o", data, "d.qcow2", "1M");
    renameSync(join(path, "d.raw"), join(path, "e.raw"));
    const named = await box("disk", "amend", "--data-file", "e.raw", "d.qcow2");
    expect(named.stdout).toMatch(/data file +e\.raw \(raw\)$/m);
    const run = await box("disk", "amend", "--data-file-raw", "off", "d.qcow2");
    expect(run.stdout).toMatch(/data file +e\.raw$/m);
    expect(factsOf(path, "d.qcow2")).toMatchObject({
      "data-file": "e.raw",
      "data-file-raw": false,
    });
  });

  test("refuses what cannot be, and changes nothing", async () => {
    const { path, box } = await diskFolder();
    qemuImg(path, "create", "-q", "-f", "qcow2", "d.qcow2", "1M");
    const before = readFileSync(join(path, "d.qcow2"));
    expect((await box("disk", "amend", "d.qcow2")).exitCode).toBe(2);
    expect((await box("disk", "amend", "d.qcow2", "--refcount-bits", "3")).exitCode).toBe(2);
    const noData = await box("disk", "amend", "d.qcow2", "--data-file", "x");
    expect(noData.stderr).toContain("QCOW2_UNSUPPORTED_FEATURE");
    expect(noData.exitCode).toBe(9);
    expect(readFileSync(join(path, "d.qcow2")).equals(before)).toBe(true);
  });
});

describe.skipIf(!hasQemu)("box disk resize --preallocation", () => {
  test.each([
    ["metadata", "zero"],
    ["full", "data"],
  ])("%s gives the new part its place", async (preallocation, kind) => {
    const { path, box } = await diskFolder();
    qemuImg(path, "create", "-q", "-f", "qcow2", "d.qcow2", "1M");
    const flags = ["--preallocation", preallocation];
    expect((await box("disk", "resize", "d.qcow2", "3MiB", ...flags)).exitCode).toBe(0);
    expect(qemuImgStatus(path, "check", "d.qcow2")).toBe(0);
    const map = JSON.parse(qemuImg(path, "map", "--output=json", "d.qcow2")) as {
      start: number;
      offset?: number;
      zero: boolean;
    }[];
    const added = map.filter(({ start }) => start >= 2 ** 20);
    expect(added.length).toBeGreaterThan(0);
    for (const part of added) {
      expect(part).toMatchObject({ offset: expect.any(Number), zero: kind === "zero" });
    }
  });

  test("is not for raw disks", async () => {
    const { path, box } = await diskFolder();
    qemuImg(path, "create", "-q", "-f", "raw", "r.img", "4096");
    const flags = ["-f", "raw", "--preallocation", "full"];
    expect((await box("disk", "resize", "r.img", "8192", ...flags)).exitCode).toBe(9);
    expect(readFileSync(join(path, "r.img")).byteLength).toBe(4096);
  });
});

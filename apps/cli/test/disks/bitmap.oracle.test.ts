import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fixtures } from "@box/qcow2/fixtures";
import { describe, expect, test } from "vitest";
import { output } from "../../src/commands/disk-bitmap/schemas.ts";
import { type DiskFolder, diskFolder, qemuImg, qemuImgStatus, qemuIo } from "../support/qemu.ts";
import { canRun } from "../support/spawn-box.ts";

const hasQemu = canRun("qemu-img", "--version") && canRun("qemu-nbd", "--version");

/** The bitmaps of an image as qemu-img lists them. */
function listed(folder: string): { name: string; granularity: number; flags: string[] }[] {
  const info = JSON.parse(qemuImg(folder, "info", "--output=json", "-f", "qcow2", "a.qcow2"));
  return info["format-specific"].data.bitmaps ?? [];
}

/** Bytes that a bitmap marks as QEMU sees it: served over a socket, they show as holding no data. */
function markedBytes(folder: string, name: string): number {
  const [socket, pidFile] = [join(folder, "s"), join(folder, "p")];
  const served = ["-r", "-f", "qcow2", "-B", name, "-x", "i", "-k", socket];
  const forked = [...served, "--fork", `--pid-file=${pidFile}`, "a.qcow2"];
  execFileSync("qemu-nbd", forked, { cwd: folder, stdio: "ignore" });
  const pid = readFileSync(pidFile, "utf8").trim();
  const place = `driver=nbd,server.type=unix,server.path=${socket},export=i`;
  const image = `${place},x-dirty-bitmap=qemu:dirty-bitmap:${name}`;
  const map = qemuImg(folder, "map", "--output=json", "--image-opts", image);
  // The server ends after its first client, and holds the image until then.
  while (isRunning(pid)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  const extents: { length: number; data: boolean }[] = JSON.parse(map);
  return extents.reduce((sum, { length, data }) => (data ? sum : sum + length), 0);
}

/** Whether a process still holds what it had; one that has ended and was not waited for holds nothing. */
function isRunning(pid: string): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

async function folderWith(...options: readonly string[]): Promise<DiskFolder> {
  const folder = await diskFolder();
  qemuImg(folder.path, "create", "-q", "-f", "qcow2", ...options, "a.qcow2", "1M");
  return folder;
}

describe.skipIf(!hasQemu)("box disk bitmap", () => {
  test("adds what qemu-img adds", async () => {
    const { path, box } = await folderWith();
    const added = await box("disk", "bitmap", "add", "a.qcow2", "one", "--format", "json");
    const said = JSON.parse(added.stdout);
    expect(output.parse(said)).toEqual(said);
    expect(said).toEqual({
      file: "a.qcow2",
      done: "added",
      bitmap: { name: "one", granularityBytes: 65536, isInUse: false, isAuto: true },
    });
    const fine = await box("disk", "bitmap", "add", "-q", "-g", "4KiB", "a.qcow2", "two");
    expect(fine).toMatchObject({ exitCode: 0, stdout: "two\n" });
    await box("disk", "bitmap", "add", "--granularity=512", "--disabled", "a.qcow2", "three");
    const ours = listed(path);
    qemuImg(path, "create", "-q", "-f", "qcow2", "a.qcow2", "1M");
    qemuImg(path, "bitmap", "--add", "a.qcow2", "one");
    qemuImg(path, "bitmap", "--add", "-g", "4k", "a.qcow2", "two");
    qemuImg(path, "bitmap", "--add", "--disable", "-g", "512", "a.qcow2", "three");
    expect(ours).toEqual(listed(path));
  });

  test("clears, enables, disables, merges and removes bitmaps as QEMU sees them", async () => {
    const { path, box } = await folderWith();
    const bitmap = async (...argv: string[]) => (await box("disk", "bitmap", ...argv)).exitCode;
    expect(await bitmap("add", "-g", "4KiB", "a.qcow2", "one")).toBe(0);
    expect(await bitmap("add", "-g", "4KiB", "--disabled", "a.qcow2", "two")).toBe(0);
    qemuIo(path, "a.qcow2", "write -q -P 1 0 8k");
    expect([markedBytes(path, "one"), markedBytes(path, "two")]).toEqual([8192, 0]);
    expect(await bitmap("disable", "a.qcow2", "one")).toBe(0);
    expect(await bitmap("enable", "a.qcow2", "two")).toBe(0);
    qemuIo(path, "a.qcow2", "write -q -P 2 512k 4k");
    expect([markedBytes(path, "one"), markedBytes(path, "two")]).toEqual([8192, 4096]);
    expect(await bitmap("merge", "a.qcow2", "two", "one")).toBe(0);
    expect([markedBytes(path, "one"), markedBytes(path, "two")]).toEqual([8192, 12288]);
    expect(await bitmap("clear", "a.qcow2", "two")).toBe(0);
    expect([markedBytes(path, "one"), markedBytes(path, "two")]).toEqual([8192, 0]);
    expect(listed(path)).toMatchObject([
      { name: "one", flags: [] },
      { name: "two", flags: ["auto"] },
    ]);
    const removed = await box("disk", "bitmap", "remove", "a.qcow2", "one");
    expect(removed.stdout).toMatch(/^removed +"one"\n.*4 KiB\nstate +gone$/m);
    expect(listed(path)).toMatchObject([{ name: "two" }]);
    expect(qemuImgStatus(path, "check", "a.qcow2")).toBe(0);
  });

  test("merges a bitmap of another image, and refuses one of another disk", async () => {
    const { path, box } = await folderWith();
    const merge = (...argv: string[]) => box("disk", "bitmap", "merge", ...argv);
    const { "virtual-size": size } = JSON.parse(qemuImg(path, "info", "--output=json", "a.qcow2"));
    qemuImg(path, "create", "-q", "-f", "qcow2", "b.qcow2", String(size));
    qemuImg(path, "create", "-q", "-f", "qcow2", "larger.qcow2", String(size + 512));
    for (const file of ["a.qcow2", "b.qcow2", "larger.qcow2"]) {
      qemuImg(path, "bitmap", "--add", "-g", "4k", file, "all");
    }
    qemuIo(path, "b.qcow2", "write -q -P 1 64k 8k");
    const run = await merge("--source-file", "b.qcow2", "a.qcow2", "all", "all");
    expect(run.exitCode).toBe(0);
    expect(markedBytes(path, "all")).toBe(8192);
    const before = readFileSync(join(path, "a.qcow2"));
    for (const [file, source, exitCode] of [
      ["larger.qcow2", "all", 2],
      ["b.qcow2", "none", 3],
      ["none.qcow2", "all", 3],
    ] as const) {
      const refused = await merge("--source-file", file, "a.qcow2", "all", source);
      expect(refused).toMatchObject({ exitCode, stdout: "" });
      if (exitCode === 3) expect(refused.stderr).toContain(file);
    }
    expect(readFileSync(join(path, "a.qcow2"))).toEqual(before);
  });

  test("changes what qemu-img made", async () => {
    const { path, box } = await folderWith();
    for (const name of ["b0", "b1"]) qemuImg(path, "bitmap", "--add", "a.qcow2", name);
    qemuIo(path, "a.qcow2", "write -q -P 1 0 64k");
    qemuImg(path, "bitmap", "--clear", "a.qcow2", "b0");
    qemuImg(path, "bitmap", "--disable", "a.qcow2", "b0");
    const merged = await box("disk", "bitmap", "merge", "a.qcow2", "b0", "b1");
    expect(merged.stdout).toMatch(/^merged +"b0"\ngranularity +64 KiB\nstate +disabled$/m);
    expect(markedBytes(path, "b0")).toBe(65536);
    expect(qemuImgStatus(path, "check", "a.qcow2")).toBe(0);
  });

  test("refuses what qemu-img refuses, by code, and changes nothing", async () => {
    const { path, box } = await folderWith();
    await box("disk", "bitmap", "add", "a.qcow2", "one");
    const before = readFileSync(join(path, "a.qcow2"));
    const refused = async (code: string, exitCode: number, ...argv: string[]) => {
      const run = await box("disk", "bitmap", ...argv);
      expect(run).toMatchObject({ exitCode, stdout: "" });
      expect(run.stderr).toContain(`error[${code}]: `);
      expect(readFileSync(join(path, "a.qcow2"))).toEqual(before);
      return run.stderr;
    };
    for (const verb of ["remove", "clear", "enable", "disable"]) {
      const said = await refused("QCOW2_BITMAP_NOT_FOUND", 3, verb, "a.qcow2", "no");
      expect(said).toContain("box disk bitmap list");
    }
    await refused("QCOW2_BITMAP_NOT_FOUND", 3, "merge", "a.qcow2", "one", "no");
    await refused("QCOW2_BITMAP_NOT_FOUND", 3, "merge", "a.qcow2", "no", "one");
    await refused("QCOW2_BITMAP_EXISTS", 4, "add", "a.qcow2", "one");
    await refused("QCOW2_INVALID_ARGUMENT", 2, "add", "-g", "3000", "a.qcow2", "two");
    await refused("QCOW2_INVALID_ARGUMENT", 2, "add", "-g", "4GiB", "a.qcow2", "two");
    await refused("QCOW2_INVALID_ARGUMENT", 2, "add", "a.qcow2", "n".repeat(1024));
    await refused("CLI_INVALID_ARGUMENT", 2, "add", "-g", "some", "a.qcow2", "two");
    await refused("CLI_USAGE", 2, "merge", "a.qcow2", "one");
    const status = (...argv: string[]) => qemuImgStatus(path, "bitmap", ...argv);
    expect(status("--remove", "a.qcow2", "no")).toBe(1);
    expect(status("--add", "a.qcow2", "one")).toBe(1);
    expect(status("--add", "-g", "3000", "a.qcow2", "two")).toBe(1);
    expect(status("--add", "a.qcow2", "n".repeat(1024))).toBe(1);
  });

  test("refuses bitmaps in an image of version 2, as qemu-img does", async () => {
    const { path, box } = await folderWith("-o", "compat=0.10");
    const before = readFileSync(join(path, "a.qcow2"));
    const run = await box("disk", "bitmap", "add", "a.qcow2", "one");
    expect(run).toMatchObject({ exitCode: 9, stdout: "" });
    expect(run.stderr).toMatch(/^error\[QCOW2_UNSUPPORTED_FEATURE\]: a\.qcow2: .*version 3/);
    expect(readFileSync(join(path, "a.qcow2"))).toEqual(before);
    expect(qemuImgStatus(path, "bitmap", "--add", "a.qcow2", "one")).toBe(1);
  });

  test("only removes a bitmap that its last writer left out of date, as qemu-img does", async () => {
    const { path, box } = await diskFolder();
    const fixture = fixtures.find(({ name }) => name === "refused/bitmap-in-use");
    writeFileSync(join(path, "a.qcow2"), (await fixture?.build()) as Uint8Array);
    const [{ name = "" } = {}] = listed(path);
    expect((await box("disk", "bitmap", "list", "a.qcow2")).stdout).toContain("out of date");
    for (const verb of ["clear", "enable", "disable"]) {
      const run = await box("disk", "bitmap", verb, "a.qcow2", name);
      expect(run).toMatchObject({ exitCode: 4, stdout: "" });
      expect(run.stderr).toMatch(/^error\[QCOW2_BITMAP_IN_USE\]: a\.qcow2: /);
      expect(run.stderr).toContain("box disk bitmap remove");
      expect(qemuImgStatus(path, "bitmap", `--${verb}`, "a.qcow2", name)).toBe(1);
    }
    expect((await box("disk", "bitmap", "remove", "a.qcow2", name)).exitCode).toBe(0);
    expect(listed(path)).toEqual([]);
    expect(qemuImgStatus(path, "check", "a.qcow2")).toBe(0);
  });
});

import { once } from "node:events";
import {
  linkSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { openFile } from "@box/io/node";
import { createImage } from "@box/qcow2";
import { openImageFile } from "@box/qcow2/node";
import { describe, expect, onTestFinished, test } from "vitest";
import { hasWriter, lockWriter } from "../../src/disks/writer-lock.ts";
import { type DiskFolder, diskFolder } from "../support/qemu.ts";
import { spawnBox, startBox } from "../support/spawn-box.ts";

const diskBytes = 256 * 2 ** 20;

/** An overlay that is all zeros, on a raw disk that is not: much to commit, and nothing to read. */
async function overlayFolder(): Promise<DiskFolder> {
  const folder = await diskFolder();
  const at = (name: string) => join(folder.path, name);
  writeFileSync(at("base.raw"), Buffer.alloc(2 ** 20, 1));
  truncateSync(at("base.raw"), diskBytes);
  await using file = await openFile(at("a.qcow2"), { mode: "create" });
  const backing = { name: "base.raw", format: "raw" } as const;
  await createImage(file, { virtualSizeBytes: diskBytes, backing });
  const open = async () => ({ source: await openFile(at("base.raw")) });
  await using image = await openImageFile(at("a.qcow2"), { mode: "rw", backing: open });
  await image.writeZeroes(0, diskBytes);
  return folder;
}

async function identityOf(path: string): Promise<string> {
  await using file = await openFile(path);
  return file.identity?.() ?? "";
}

/** A process that is in the middle of `box disk commit`, and stands still. */
async function stoppedCommit(folder: string) {
  const base = await identityOf(join(folder, "base.raw"));
  const child = startBox(["disk", "commit", "a.qcow2"], { cwd: folder });
  onTestFinished(() => void child.kill("SIGKILL"));
  const ended = once(child, "close");
  while (!(await hasWriter(base)) && child.exitCode === null) await setImmediate();
  child.kill("SIGSTOP");
  // The state behind the name: stopped, not ended.
  const state = () => /\) (\w)/.exec(readFileSync(`/proc/${child.pid}/stat`, "utf8"))?.[1];
  while (state() === "R" || state() === "S" || state() === "D") await setImmediate();
  expect(state()).toBe("T");
  return { child, ended };
}

describe.skipIf(process.platform !== "linux")("an image that another box changes", () => {
  test("is not changed, and neither is the backing file that is being written", async () => {
    const { path, box } = await overlayFolder();
    linkSync(join(path, "a.qcow2"), join(path, "hard.qcow2"));
    symlinkSync("a.qcow2", join(path, "soft.qcow2"));
    expect((await box("disk", "create", "b.qcow2", "1M")).exitCode).toBe(0);
    const { child, ended } = await stoppedCommit(path);
    const names = readdirSync(path);
    const before = readFileSync(join(path, "a.qcow2"));
    for (const words of [
      ["resize", "a.qcow2", "+1M"],
      ["resize", "hard.qcow2", "+1M"],
      ["resize", "soft.qcow2", "+1M"],
      ["resize", "-f", "raw", "base.raw", "+1M"],
      ["snapshot", "create", "a.qcow2", "s"],
      ["bitmap", "add", "a.qcow2", "b"],
      ["check", "--repair", "all", "a.qcow2"],
      ["rebase", "--standalone", "a.qcow2"],
      ["commit", "a.qcow2"],
      ["create", "--force", "a.qcow2", "1M"],
      ["convert", "--force", "-O", "qcow2", "b.qcow2", "a.qcow2"],
    ]) {
      const run = await box("disk", ...words);
      expect(run, words.join(" ")).toMatchObject({ exitCode: 4, stdout: "" });
      expect(run.stderr).toMatch(/^error\[CLI_FILE_IN_USE\]: \S+ is in use/);
      expect(run.stderr).toMatch(/^ {2}try +\S/m);
    }
    expect(readFileSync(join(path, "a.qcow2")).equals(before)).toBe(true);
    const check = await box("disk", "check", "a.qcow2");
    expect(check).toMatchObject({ exitCode: 0 });
    expect(check.stderr).toMatch(/^warning\[CLI_FILE_IN_USE\]/);
    expect((await box("disk", "info", "a.qcow2")).exitCode).toBe(0);

    child.kill("SIGCONT");
    expect(await ended).toEqual([0, null]);
    expect(readdirSync(path)).toEqual(names);
    const checked = await box("disk", "check", "a.qcow2");
    expect(checked).toMatchObject({ exitCode: 0, stderr: "" });
    expect(readFileSync(join(path, "base.raw")).equals(Buffer.alloc(diskBytes))).toBe(true);
    expect((await box("disk", "resize", "a.qcow2", "+1M")).exitCode).toBe(0);
  });

  test("can be changed at once when that box was killed, and nothing of it is left", async () => {
    const { path, box } = await overlayFolder();
    const { child, ended } = await stoppedCommit(path);
    child.kill("SIGKILL");
    await ended;
    expect(readdirSync(path)).toEqual(["a.qcow2", "base.raw"]);
    expect((await box("disk", "commit", "a.qcow2")).exitCode).toBe(0);
    expect(readdirSync(path)).toEqual(["a.qcow2", "base.raw"]);
  });

  test("is named with the process that changes it", async () => {
    const { path, box } = await diskFolder();
    expect((await box("disk", "create", "a.qcow2", "1M")).exitCode).toBe(0);
    const identity = await identityOf(join(path, "a.qcow2"));
    await using _lock = await lockWriter(
      { file: "a.qcow2", identity },
      { command: "box disk resize" },
    );
    const run = await spawnBox(["disk", "resize", "a.qcow2", "+1M"], { cwd: path });
    expect(run).toMatchObject({ exitCode: 4, stdout: "" });
    const who = `process ${process.pid} (box disk resize)`;
    expect(run.stderr).toContain(`a.qcow2 is in use by ${who}, which changes it`);
  });

  test("is refused by a commit as the backing file, for its own reason when it backs itself", async () => {
    const { path, box } = await diskFolder();
    writeFileSync(join(path, "base.raw"), Buffer.alloc(4096));
    const create = ["create", "a.qcow2", "--backing", "base.raw", "--backing-format", "raw"];
    expect((await box("disk", ...create)).exitCode).toBe(0);
    const lock = await lockWriter({
      file: "base.raw",
      identity: await identityOf(join(path, "base.raw")),
    });
    const run = await box("disk", "commit", "a.qcow2");
    expect(run.exitCode).toBe(4);
    expect(run.stderr).toMatch(/^error\[CLI_FILE_IN_USE\]: a\.qcow2: base\.raw is in use/);
    await lock.release();
    expect((await box("disk", "commit", "a.qcow2")).exitCode).toBe(0);
    const loop = [
      "rebase",
      "--unsafe",
      "a.qcow2",
      "--backing",
      "a.qcow2",
      "--backing-format",
      "raw",
    ];
    expect((await box("disk", ...loop)).exitCode).toBe(0);
    const refused = await box("disk", "commit", "a.qcow2");
    expect(refused.stderr).toMatch(/^error\[QCOW2_BACKING_CYCLE\]/);
  });
});

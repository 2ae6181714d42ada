import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { CliError } from "../../src/errors.ts";
import { diskFolder, qemuImg } from "../support/qemu.ts";
import { runBoxHere } from "../support/run-box.ts";
import { canRun, spawnBox } from "../support/spawn-box.ts";

const isRoot = process.getuid?.() === 0;

/** A small file system of the test's own; undefined where it may not be mounted. */
function smallFileSystem(folder: string, options: string): string | undefined {
  const path = join(folder, "small");
  mkdirSync(path);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path], { stdio: "pipe" });
  } catch {
    return undefined;
  }
  onTestFinished(() => void execFileSync("umount", [path], { stdio: "pipe" }));
  return path;
}

/** A raw disk full of bytes that do not compress to nothing. */
function fullDisk(folder: string, name: string, sizeBytes: number): void {
  const block = Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7 + 1) & 0xff));
  writeFileSync(join(folder, name), Buffer.concat(Array(sizeBytes / 4096).fill(block)));
}

describe("a new disk file", () => {
  test("is not there when the command was interrupted, and neither is anything else", async () => {
    const { path } = await diskFolder();
    fullDisk(path, "a.raw", 32 * 2 ** 20);
    const controller = new AbortController();
    const argv = ["disk", "convert", "-f", "raw", "-c", "a.raw", "b.qcow2"];
    const running = runBoxHere(argv, { cwd: path, signal: controller.signal });
    while (!readdirSync(path).some((name) => name.startsWith(".tmp-"))) await setImmediate();
    controller.abort(new CliError({ code: "CLI_INTERRUPTED", message: "stopped by SIGINT" }));
    const run = await running;
    expect(run).toMatchObject({ exitCode: 130, stdout: "" });
    expect(run.stderr).toContain("error[CLI_INTERRUPTED]");
    expect(readdirSync(path)).toEqual(["a.raw"]);
  });

  test("keeps its size when making it larger was interrupted, and tells how far that was", async () => {
    const { path, box } = await diskFolder();
    expect((await box("disk", "create", "a.qcow2", "1MiB")).exitCode).toBe(0);
    const controller = new AbortController();
    const argv = ["disk", "resize", "--preallocation", "full", "a.qcow2", "3GiB"];
    const words = [...argv, "--progress", "json"];
    const running = runBoxHere(words, { cwd: path, signal: controller.signal });
    while (statSync(join(path, "a.qcow2")).size < 2 ** 24) await setImmediate();
    controller.abort(new CliError({ code: "CLI_INTERRUPTED", message: "stopped by SIGINT" }));
    const run = await running;
    expect(run).toMatchObject({ exitCode: 130, stdout: "" });
    expect(run.stderr).toContain('"task":"preallocate"');
    expect(statSync(join(path, "a.qcow2")).size).toBeLessThan(2 ** 20);
    const { stdout } = await box("disk", "info", "--format", "json", "a.qcow2");
    expect(JSON.parse(stdout)).toMatchObject({ virtualSizeBytes: 2 ** 20 });
    expect((await box("disk", "check", "a.qcow2")).exitCode).toBe(0);
  });

  test("replaces the leftover of a run that was killed", async () => {
    const { path, box } = await diskFolder();
    writeFileSync(join(path, ".tmp-4194000-1-0123456789abcdef"), "half");
    expect((await box("disk", "create", "a.qcow2", "1M")).exitCode).toBe(0);
    expect(readdirSync(path)).toEqual(["a.qcow2"]);
  });

  test("stays away from a full file system, whose name is in the error", async ({ skip }) => {
    const { path, box } = await diskFolder();
    const small = smallFileSystem(path, "size=1M");
    if (small === undefined) return skip("needs the right to mount a tmpfs");
    fullDisk(path, "a.raw", 4 * 2 ** 20);
    writeFileSync(join(small, "old"), "old");
    for (const flags of [[], ["--force"]]) {
      const target = flags.length === 0 ? "new" : "old";
      const run = await box("disk", "convert", "-f", "raw", ...flags, "a.raw", `small/${target}`);
      expect(run).toMatchObject({ exitCode: 6, stdout: "" });
      expect(run.stderr).toMatch(/^error\[QCOW2_NO_SPACE\]/);
      expect(run.stderr).toContain(`small/${target}`);
      expect(run.stderr).not.toContain(".tmp-");
      expect(run.stderr).toMatch(/^ {2}try +\S/m);
    }
    expect(readdirSync(small)).toEqual(["old"]);
    expect(readFileSync(join(small, "old"), "utf8")).toBe("old");
  });

  test("cannot be made on a file system that is read-only, in no folder, or through a loop", async ({
    skip,
  }) => {
    const { path, box } = await diskFolder();
    const nowhere = await box("disk", "create", "none/a.qcow2", "1M");
    expect(nowhere.exitCode).toBe(3);
    symlinkSync("loop", join(path, "loop"));
    expect((await box("disk", "create", "loop/a.qcow2", "1M")).exitCode).toBe(6);
    const small = smallFileSystem(path, "ro");
    if (small === undefined) return skip("needs the right to mount a tmpfs");
    const readOnly = await box("disk", "create", "small/a.qcow2", "1M");
    expect(readOnly.exitCode).toBe(6);
    expect(readOnly.stderr).toContain("error[IO_READ_ONLY]");
  });
});

describe("a disk file that may not be read or written", () => {
  test("is an I/O error, never corrupt", async () => {
    const { path, box } = await diskFolder();
    expect((await box("disk", "create", "a.qcow2", "1M")).exitCode).toBe(0);
    // Without what lets root read and write everything.
    const under = isRoot ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] : [];
    const boxAsUser = (...argv: string[]) => spawnBox(argv, { cwd: path, under });
    chmodSync(join(path, "a.qcow2"), 0o400);
    const grow = await boxAsUser("disk", "resize", "a.qcow2", "+1M");
    expect(grow.stderr).toMatch(/^error\[IO_[A-Z_]+\]: /m);
    expect(grow.exitCode).toBe(6);
    expect((await boxAsUser("disk", "info", "a.qcow2")).exitCode).toBe(0);
    chmodSync(join(path, "a.qcow2"), 0);
    const info = await boxAsUser("disk", "info", "a.qcow2");
    expect(info.stderr).toMatch(/^error\[IO_[A-Z_]+\]: /m);
    expect(info.exitCode).toBe(6);
  });

  test("is missing or denied when it is a backing file, with the code of that", async () => {
    const { path, box } = await diskFolder();
    writeFileSync(join(path, "base.raw"), new Uint8Array(2 ** 20));
    await box("disk", "create", "a.qcow2", "--backing", "base.raw", "--backing-format", "raw");
    execFileSync("mv", ["base.raw", "moved.raw"], { cwd: path });
    for (const words of [
      ["map", "a.qcow2"],
      ["convert", "a.qcow2", "b"],
      ["resize", "a.qcow2", "+1M"],
    ]) {
      const run = await box("disk", ...words);
      expect(run).toMatchObject({ exitCode: 10, stdout: "" });
      expect(run.stderr).toContain("error[QCOW2_BACKING_MISSING]");
    }
    const explained = await box("disk", "explain", "a.qcow2", "--format", "json");
    expect(explained.exitCode).toBe(0);
    expect(JSON.parse(explained.stdout)).toMatchObject({
      role: "overlay",
      state: "consistent",
      isUsable: false,
    });
    // A header alone tells all that info wants to know.
    expect((await box("disk", "info", "a.qcow2")).exitCode).toBe(0);
    expect((await box("disk", "check", "a.qcow2")).exitCode).toBe(0);
  });
});

describe.skipIf(!canRun("qemu-io", "--version"))("a disk file that QEMU has open", () => {
  test("is not written, and is as it was", async () => {
    const { path, box } = await diskFolder();
    qemuImg(path, "create", "-q", "-f", "qcow2", "a.qcow2", "1M");
    qemuImg(path, "create", "-q", "-f", "qcow2", "b.qcow2", "1M");
    const qemu = spawn("qemu-io", ["-f", "qcow2", "a.qcow2"], { cwd: path });
    onTestFinished(() => void qemu.kill());
    await once(qemu.stdout, "data");
    const before = readFileSync(join(path, "a.qcow2"));
    for (const words of [
      ["resize", "a.qcow2", "+1M"],
      ["check", "--repair", "all", "a.qcow2"],
      ["convert", "--force", "-O", "qcow2", "b.qcow2", "a.qcow2"],
      ["create", "--force", "a.qcow2", "1M"],
    ]) {
      const run = await box("disk", ...words);
      expect(run).toMatchObject({ exitCode: 4, stdout: "" });
      expect(run.stderr).toMatch(/^error\[CLI_FILE_IN_USE\]: a\.qcow2 is in use/);
    }
    expect(readFileSync(join(path, "a.qcow2"))).toEqual(before);
    const check = await box("disk", "check", "a.qcow2");
    expect(check.exitCode).toBe(0);
    expect(check.stderr).toMatch(/^warning\[CLI_FILE_IN_USE\]/);
    expect((await box("disk", "explain", "a.qcow2")).stdout).toContain("has it open right now");
    qemu.stdin.end("quit\n");
    await once(qemu, "close");
    expect((await box("disk", "resize", "a.qcow2", "+1M")).exitCode).toBe(0);
    expect(statSync(join(path, "a.qcow2")).size).toBeGreaterThan(0);
  });
});

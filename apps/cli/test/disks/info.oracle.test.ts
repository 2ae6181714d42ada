import { spawnSync } from "node:child_process";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { output } from "../../src/commands/disk-info/schemas.ts";
import { runBoxHere } from "../support/run-box.ts";
import { canRun } from "../support/spawn-box.ts";

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "box-info-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

describe.skipIf(!canRun("qemu-img", "--version"))(
  "box disk info of files that qemu-img made",
  () => {
    test("tells size, clusters, compression and the backing file", async () => {
      const folder = await temporaryFolder();
      const make = (...argv: string[]) =>
        spawnSync("qemu-img", ["create", "-q", ...argv], { cwd: folder });
      make("-f", "raw", "base.raw", "8M");
      make(
        "-f",
        "qcow2",
        "-b",
        "base.raw",
        "-F",
        "raw",
        "-o",
        "compression_type=zstd",
        "over.qcow2",
      );
      const run = await runBoxHere(["disk", "info", "over.qcow2", "--format", "json"], {
        cwd: folder,
      });
      const info = JSON.parse(run.stdout);
      expect(output.parse(info)).toEqual(info);
      expect(info).toMatchObject({
        format: "qcow2",
        virtualSizeBytes: 8 * 2 ** 20,
        qcow2: {
          version: 3,
          clusterSizeBytes: 65536,
          compressionType: "zstd",
          backing: { name: "base.raw", format: "raw" },
        },
      });
      const shown = (await runBoxHere(["disk", "info", "over.qcow2"], { cwd: folder })).stdout;
      expect(shown).toContain("base.raw (raw)");
      expect(shown).toContain("8 MiB (8388608 bytes)");
      make(
        "-f",
        "qcow2",
        "-o",
        "extended_l2=on",
        "-u",
        "-b",
        "none.raw",
        "-F",
        "raw",
        "plain.qcow2",
        "1M",
      );
      const plain = (await runBoxHere(["disk", "info", "plain.qcow2"], { cwd: folder })).stdout;
      expect(plain).toContain("marks         extended L2");
    });
  },
);

describe.skipIf(!canRun("qemu-img", "--version"))("box disk info --format qemu-json", () => {
  test.each([
    ["a plain image", ["-f", "qcow2", "d.img", "8M"], "qcow2"],
    ["version 2", ["-f", "qcow2", "-o", "compat=0.10", "d.img", "8M"], "qcow2"],
    [
      "extended L2, lazy",
      ["-f", "qcow2", "-o", "extended_l2=on,lazy_refcounts=on", "d.img", "8M"],
      "qcow2",
    ],
    [
      "an overlay",
      ["-f", "qcow2", "-u", "-b", "sub/base.raw", "-F", "raw", "d.img", "8M"],
      "qcow2",
    ],
    [
      "an overlay by absolute path",
      ["-f", "qcow2", "-u", "-b", "/b.raw", "-F", "raw", "d.img", "8M"],
      "qcow2",
    ],
    ["a raw disk", ["-f", "raw", "d.img", "8M"], "raw"],
  ])("prints what qemu-img prints for %s", async (_name, argv, format) => {
    const folder = await temporaryFolder();
    spawnSync("qemu-img", ["create", "-q", ...argv], { cwd: folder });
    if (format === "qcow2" && !argv.includes("-u"))
      spawnSync("qemu-img", ["snapshot", "-c", "first", "d.img"], { cwd: folder });
    for (const file of ["d.img", join(folder, "d.img")]) {
      const theirs = spawnSync("qemu-img", ["info", "--output=json", "-f", format, file], {
        cwd: folder,
      });
      const ours = await runBoxHere(["disk", "info", file, "-f", format, "--format", "qemu-json"], {
        cwd: folder,
      });
      expect(JSON.parse(ours.stdout)).toEqual(JSON.parse(theirs.stdout.toString()));
    }
  });
});

describe("box disk info", () => {
  test("takes a raw disk only when told so", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "raw.img"), "");
    await truncate(join(folder, "raw.img"), 4096);
    const info = (...argv: string[]) =>
      runBoxHere(["disk", "info", "raw.img", ...argv], { cwd: folder });
    expect(JSON.parse((await info("-f", "raw", "--format", "json")).stdout)).toEqual({
      file: "raw.img",
      format: "raw",
      virtualSizeBytes: 4096,
      fileSizeBytes: 4096,
    });
    expect((await info("-f", "raw")).stdout).toContain("4 KiB");
    const refused = await info();
    expect(refused).toMatchObject({ exitCode: 5, stdout: "" });
    expect(refused.stderr).toContain("error[QCOW2_BAD_MAGIC]");
    expect((await info("-f", "vmdk")).exitCode).toBe(2);
  });

  test("tells a missing file from an unreadable one by code", async () => {
    const folder = await temporaryFolder();
    const missing = await runBoxHere(["disk", "info", "nope"], { cwd: folder });
    expect(missing.exitCode).toBe(3);
    expect(missing.stderr).toContain("error[IO_NOT_FOUND]");
    const folderItself = await runBoxHere(["disk", "info", "."], { cwd: folder });
    expect(folderItself.exitCode).toBe(6);
  });

  test("names the file in its errors, and says that a folder is no image", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "text.img"), "no image at all".repeat(100));
    const text = await runBoxHere(["disk", "info", "text.img"], { cwd: folder });
    expect(text.stderr).toMatch(/^error\[QCOW2_BAD_MAGIC\]: text\.img: /);
    for (const format of ["qcow2", "raw"]) {
      const run = await runBoxHere(["disk", "info", folder, "-f", format]);
      expect(run.exitCode).toBe(6);
      expect(run.stderr).toContain(folder);
      expect(run.stderr).toMatch(/^ {2}try +this is a folder/m);
    }
  });
});

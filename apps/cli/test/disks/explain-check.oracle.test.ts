import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { output as checkOutput } from "../../src/commands/disk-check/schemas.ts";
import { output as explainOutput } from "../../src/commands/disk-explain/schemas.ts";
import { output as mapOutput } from "../../src/commands/disk-map/schemas.ts";
import { diskFolder, qemuImg, qemuImgStatus } from "../support/qemu.ts";
import { runBoxHere } from "../support/run-box.ts";
import { canRun } from "../support/spawn-box.ts";
import { diskMatrix } from "./image-matrix.ts";

const hasQemu = canRun("qemu-img", "--version");

function make(name: string, folder: string): void {
  const found = diskMatrix.find((disk) => disk.name === name);
  if (found === undefined) throw new Error(`no disk ${name}`);
  found.make(folder);
}

/** Makes the first L2 entry point into the header, as a damaged one might. */
function damage(path: string): void {
  const image = readFileSync(path);
  const l2 = Number(image.readBigUInt64BE(Number(image.readBigUInt64BE(40))) & 0xffffff_fffffe00n);
  image.writeBigUInt64BE(0x8000_0000_0000_0000n | 1024n, l2);
  writeFileSync(path, image);
}

describe.skipIf(!hasQemu)("box disk explain", () => {
  test("tells an overlay, what is its own, what it stands on and that it is sound", async () => {
    const { path, box } = await diskFolder();
    make("a chain of three", path);
    const { stdout, exitCode } = await box("disk", "explain", "d.img");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^d\.img is an overlay: a qcow2 file \(version 3\) with a disk of 8 MiB/,
    );
    expect(stdout).toMatch(/^6 of 128 clusters of 64 KiB are its own \(384 KiB\)/m);
    expect(stdout).toContain(`It stands on ${join(path, "b.qcow2")} (qcow2).`);
    expect(stdout).toContain("in turn stands on a.raw (raw).");
    expect(stdout).toContain("It is consistent: all tables and reference counts agree.");
    const json = await box("disk", "explain", "d.img", "--format", "json");
    const said = JSON.parse(json.stdout);
    expect(explainOutput.parse(said)).toEqual(said);
    expect(said).toMatchObject({ role: "overlay", state: "consistent", isUsable: true });
    expect(said.chain).toHaveLength(2);
  });

  test.each([
    ["snapshots", /It holds 2 snapshots with older content: one, two words\./],
    ["bitmaps", /It records changes in 2 bitmaps: b0, b1\./],
    ["a data file", /Its data is in another file: d\.raw\./],
    ["leaks", /\d clusters? \(.*\) are leaked(.|\n)*--repair leaks d\.img/],
  ])("tells %s", async (name, sentence) => {
    const { path, box } = await diskFolder();
    make(name, path);
    expect((await box("disk", "explain", "d.img")).stdout).toMatch(sentence);
  });

  test("tells a corrupt image by its first error, a raw disk by its holes", async () => {
    const { path, box } = await diskFolder();
    make("version 3", path);
    damage(join(path, "d.img"));
    const broken = await box("disk", "explain", "d.img");
    expect(broken.stdout).toMatch(/It is corrupt: \d+ errors?; the first is QCOW2_/);
    expect(broken.stdout).toContain("box disk check --repair all d.img");
    make("a raw disk", path);
    const raw = await box("disk", "explain", "-f", "raw", "d.img");
    expect(raw.stdout).toMatch(/taken as a raw disk of 8 MiB(.|\n)*for the rest is holes/);
  });
});

describe.skipIf(!hasQemu)("box disk check", () => {
  test("warns of leaks and repairs them when asked", async () => {
    const { path, box } = await diskFolder();
    make("leaks", path);
    const before = await box("disk", "check", "d.img", "--format", "json");
    expect(before.exitCode).toBe(0);
    const said = JSON.parse(before.stdout);
    expect(checkOutput.parse(said)).toEqual(said);
    expect(said).toMatchObject({ verdict: "leaking", leaks: 4, errors: 0 });
    const repaired = await box("disk", "check", "--repair", "leaks", "d.img");
    expect(repaired.stdout).toMatch(/verdict +clean\nrepaired +0 errors, 4 leaks/);
    expect(repaired.stderr).toBe("");
    expect(qemuImgStatus(path, "check", "d.img")).toBe(0);
    const again = await box("disk", "check", "--repair", "all", "d.img");
    expect(again.stdout).toMatch(/repaired +nothing/);
  });

  test("shows what is wrong in a table, and as an error with what to try", async () => {
    const { path, box } = await diskFolder();
    make("version 3", path);
    damage(join(path, "d.img"));
    const run = await box("disk", "check", "d.img");
    expect(run.exitCode).toBe(5);
    expect(run.stdout).toMatch(/verdict +corrupt: \d+ error/);
    expect(run.stdout).toMatch(/^SEVERITY +CODE +OFFSET +MESSAGE\nerror +QCOW2_/m);
    expect(run.stderr).toMatch(/^error\[QCOW2_(.|\n)*try +keep a copy, .*--repair all d\.img/);
    for (const flags of [[], ["--qemu-exit-codes"]]) {
      const json = await box("disk", "check", ...flags, "d.img", "--format", "qemu-json");
      expect(json.exitCode).toBe(flags.length === 0 ? 5 : 2);
      expect(JSON.parse(json.stdout).corruptions).toBeGreaterThan(0);
    }
    const missing = await box("disk", "check", "--qemu-exit-codes", "nope");
    expect(missing).toMatchObject({ exitCode: 1, stdout: "" });
    expect(missing.stderr).toContain("error[IO_NOT_FOUND]");
  });
});

describe.skipIf(!hasQemu)("box disk map", () => {
  test("lists extents for people and for programs", async () => {
    const { path, box } = await diskFolder();
    make("an overlay on a sparse raw disk", path);
    const table = (await box("disk", "map", "d.img")).stdout;
    expect(table).toMatch(/^START +LENGTH +KIND +OFFSET +FILE\n0 +65536 +data +\d+ +d\.img\n/);
    expect(table).toMatch(/ data +\d+ +base\.raw$/m);
    const said = JSON.parse((await box("disk", "map", "d.img", "--format", "json")).stdout);
    expect(mapOutput.parse(said)).toEqual(said);
    expect(said.chain).toEqual(["d.img", "base.raw"]);
    const raw = await box("disk", "map", "-f", "raw", "base.raw", "--format", "json");
    expect(JSON.parse(raw.stdout).extents).toHaveLength(1);
  });

  test("takes blocks of zeros for holes where the system cannot be asked", async () => {
    const { path, box } = await diskFolder();
    make("an overlay on a sparse raw disk", path);
    const argv = ["disk", "map", "d.img", "--format", "qemu-json"];
    const asked = await box(...argv);
    const read = await runBoxHere(argv, { cwd: path, env: { PATH: "/nonexistent" } });
    const fromBase = (text: string) =>
      (JSON.parse(text) as { depth: number }[]).filter(({ depth }) => depth === 1);
    expect(fromBase(read.stdout).length).toBeGreaterThan(2);
    expect(fromBase(read.stdout)).toEqual(fromBase(asked.stdout));
  });

  test("reads an encrypted image with the passphrase from a file", async () => {
    const { path, box } = await diskFolder();
    const secret = ["--object", "secret,id=s,data=abc"];
    const options = "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=100";
    qemuImg(path, "create", "-q", "-f", "qcow2", ...secret, "-o", options, "l.qcow2", "1M");
    const refused = await box("disk", "map", "l.qcow2");
    expect(refused.exitCode).toBe(9);
    expect(refused.stderr).toMatch(/^ {2}try +.*--passphrase-file/m);
    writeFileSync(join(path, "key"), "abc");
    expect((await box("disk", "map", "--passphrase-file", "key", "l.qcow2")).exitCode).toBe(0);
    writeFileSync(join(path, "key"), "abc\n");
    const wrong = await box("disk", "map", "--passphrase-file", "key", "l.qcow2");
    expect(wrong.exitCode).toBe(8);
    expect(wrong.stderr).toContain("a line break at its end too");
    expect((await box("disk", "map", "--passphrase-file", "no", "l.qcow2")).exitCode).toBe(2);
    const info = await box("disk", "info", "l.qcow2");
    expect(info.stdout).toMatch(/encryption +luks aes-xts-plain64/);
    expect((await box("disk", "explain", "l.qcow2")).stdout).toContain("encrypted (luks)");
  });
});

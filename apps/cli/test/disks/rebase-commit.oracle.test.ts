import { readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { output as commitOutput } from "../../src/commands/disk-commit/schemas.ts";
import { output as rebaseOutput } from "../../src/commands/disk-rebase/schemas.ts";
import { diskFolder, qemuImg, qemuImgStatus, qemuIo } from "../support/qemu.ts";
import { canRun } from "../support/spawn-box.ts";

/** An overlay on a raw base of another content, a second base, and a copy of what the overlay reads as. */
async function overlayFolder() {
  const made = await diskFolder();
  const { path } = made;
  for (const [name, fill] of [
    ["old.raw", 1],
    ["new.raw", 2],
  ] as const) {
    qemuImg(path, "create", "-q", "-f", "raw", name, "2M");
    qemuIo(path, name, `write -q -P ${fill} 0 256k`);
  }
  qemuImg(path, "create", "-q", "-f", "qcow2", "-b", "old.raw", "-F", "raw", "over.qcow2");
  qemuIo(path, "over.qcow2", "write -q -P 3 64k 64k");
  qemuImg(path, "convert", "-O", "raw", "over.qcow2", "content.raw");
  const isSame = () =>
    qemuImgStatus(path, "compare", "-F", "raw", "over.qcow2", "content.raw") === 0;
  return { ...made, isSame };
}

describe.skipIf(!canRun("qemu-img", "--version"))("an overlay with a snapshot", () => {
  test.each([
    ["rebase", "--standalone"],
    ["commit", "--keep"],
  ])("%s says that what the snapshot reads changes", async (verb, flag) => {
    const { path, box } = await overlayFolder();
    expect((await box("disk", verb, flag, "over.qcow2")).stderr).not.toContain("warning");
    const other = await overlayFolder();
    qemuImg(other.path, "snapshot", "-c", "s", "over.qcow2");
    const said = await other.box("disk", verb, flag, "over.qcow2");
    expect(said).toMatchObject({ exitCode: 0, stderr: expect.stringContaining("a snapshot") });
    expect(qemuImgStatus(path, "check", "over.qcow2")).toBe(0);
  });

  test("says nothing of the kind once it has no backing file", async () => {
    const { path, box } = await overlayFolder();
    qemuImg(path, "snapshot", "-c", "s", "over.qcow2");
    await box("disk", "rebase", "--standalone", "over.qcow2");
    const again = await box("disk", "rebase", "--standalone", "over.qcow2");
    expect(again).toMatchObject({ exitCode: 0, stderr: expect.not.stringContaining("snapshot") });
  });
});

describe.skipIf(!canRun("qemu-img", "--version"))("box disk rebase", () => {
  test("keeps what the disk reads as on another base and on none", async () => {
    const { path, box, isSame } = await overlayFolder();
    const flags = ["--backing", "new.raw", "--backing-format", "raw"];
    const run = await box("disk", "rebase", "over.qcow2", ...flags, "--format", "json");
    const said = JSON.parse(run.stdout);
    expect(rebaseOutput.parse(said)).toEqual(said);
    expect(said).toEqual({
      file: "over.qcow2",
      backing: { name: "new.raw", format: "raw" },
      copiedBytes: 192 * 1024,
    });
    expect(isSame()).toBe(true);
    expect(qemuImgStatus(path, "check", "over.qcow2")).toBe(0);
    expect((await box("disk", "rebase", "--standalone", "over.qcow2")).stdout).toMatch(
      /backing +none/,
    );
    expect(isSame()).toBe(true);
    expect(qemuImg(path, "info", "over.qcow2")).not.toContain("backing");
  });

  test("changes the name only with --unsafe, also when the old base is gone", async () => {
    const { path, box, isSame } = await overlayFolder();
    renameSync(join(path, "old.raw"), join(path, "moved.raw"));
    const flags = ["--backing", "moved.raw", "--backing-format", "raw", "over.qcow2"];
    const safe = await box("disk", "rebase", ...flags);
    expect(safe.exitCode).toBe(10);
    expect((await box("disk", "rebase", "--unsafe", "-q", ...flags)).stdout).toBe("over.qcow2\n");
    expect(isSame()).toBe(true);
  });

  test("refuses unclear flags and a new base that is not there, and changes nothing", async () => {
    const { path, box } = await overlayFolder();
    const before = readFileSync(join(path, "over.qcow2"));
    const rebase = (...words: string[]) => box("disk", "rebase", "over.qcow2", ...words);
    expect((await rebase()).exitCode).toBe(2);
    expect((await rebase("--backing", "new.raw")).exitCode).toBe(2);
    expect(
      (await rebase("--standalone", "--backing", "new.raw", "--backing-format", "raw")).exitCode,
    ).toBe(2);
    expect((await rebase("--backing", "none", "--backing-format", "raw")).exitCode).toBe(10);
    expect((await rebase("--backing", "new.raw", "--backing-format", "qcow2")).exitCode).toBe(5);
    expect(readFileSync(join(path, "over.qcow2"))).toEqual(before);
  });
});

describe.skipIf(!canRun("qemu-img", "--version"))("box disk commit", () => {
  test("writes into the base what the overlay holds, and empties or keeps the overlay", async () => {
    const { path, box, isSame } = await overlayFolder();
    const kept = await box("disk", "commit", "--keep", "over.qcow2", "--format", "json");
    const said = JSON.parse(kept.stdout);
    expect(commitOutput.parse(said)).toEqual(said);
    expect(said).toMatchObject({ backing: "old.raw", committedBytes: 65536, isEmptied: false });
    const same = ["compare", "-f", "raw", "-F", "raw", "old.raw", "content.raw"];
    expect(qemuImgStatus(path, ...same)).toBe(0);
    expect((await box("disk", "commit", "over.qcow2")).stdout).toContain("empty now");
    expect(isSame()).toBe(true);
    const map = JSON.parse(qemuImg(path, "map", "--output=json", "over.qcow2"));
    expect(map.every(({ depth }: { depth: number }) => depth === 1)).toBe(true);
    expect((await box("disk", "commit", "-q", "over.qcow2")).stdout).toBe("old.raw\n");
  });

  test("refuses an image without a base, and a base outside the allowed folders", async () => {
    const { path, box } = await overlayFolder();
    qemuImg(path, "create", "-q", "-f", "qcow2", "alone.qcow2", "1M");
    expect((await box("disk", "commit", "alone.qcow2")).exitCode).toBe(2);
    const before = readFileSync(join(path, "old.raw"));
    const denied = await box("disk", "commit", "over.qcow2", "--allow", "/usr");
    expect(denied.exitCode).toBe(9);
    expect(denied.stderr).toContain(`--allow ${path}`);
    expect(readFileSync(join(path, "old.raw"))).toEqual(before);
  });
});

describe.skipIf(!canRun("qemu-img", "--version"))("box disk snapshot and bitmap list", () => {
  test("show what qemu-img made", async () => {
    const { path, box } = await diskFolder();
    qemuImg(path, "create", "-q", "-f", "qcow2", "a.qcow2", "1M");
    qemuImg(path, "snapshot", "-c", "one", "a.qcow2");
    qemuImg(path, "bitmap", "--add", "-g", "64k", "a.qcow2", "changes");
    expect((await box("disk", "snapshot", "list", "a.qcow2")).stdout).toMatch(
      /^ID +NAME.*\n1 +one /,
    );
    expect((await box("disk", "snapshot", "list", "-q", "a.qcow2")).stdout).toBe("1\n");
    expect((await box("disk", "bitmap", "list", "a.qcow2")).stdout).toMatch(
      /changes +64 KiB +recording/,
    );
    expect((await box("disk", "bitmap", "list", "-q", "a.qcow2")).stdout).toBe("changes\n");
    const info = (await box("disk", "info", "a.qcow2")).stdout;
    expect(info).toMatch(/snapshot +1 "one", taken 20/);
    expect(info).toMatch(/bitmap +"changes", 64 KiB a bit, recording/);
  });
});

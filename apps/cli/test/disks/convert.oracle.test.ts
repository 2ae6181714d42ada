import { readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { output } from "../../src/commands/disk-convert/schemas.ts";
import { diskFolder, qemuImg, qemuImgStatus } from "../support/qemu.ts";
import { canRun } from "../support/spawn-box.ts";
import { diskMatrix } from "./image-matrix.ts";

const hasQemu = canRun("qemu-img", "--version");

describe.skipIf(!hasQemu).each(diskMatrix)("box disk convert of $name", (disk) => {
  const { format = "qcow2", make } = disk;

  test.each([
    ["raw", []],
    ["qcow2", []],
    ["qcow2", ["-c"]],
    ["qcow2", ["--compression", "zstd", "--cluster-size", "4KiB"]],
  ] as const)(
    "to %s with %j has the same content, and qemu-img finds it clean",
    async (to, more) => {
      const { path, box } = await diskFolder();
      make(path);
      const run = await box("disk", "convert", "-f", format, "-O", to, ...more, "d.img", "out");
      expect(run).toMatchObject({ exitCode: 0, stderr: "" });
      expect(qemuImgStatus(path, "compare", "-f", format, "-F", to, "d.img", "out")).toBe(0);
      if (to === "qcow2") expect(qemuImgStatus(path, "check", "-f", to, "out")).toBe(0);
      expect(readdirSync(path).filter((name) => name.startsWith("."))).toEqual([]);
    },
  );
});

describe.skipIf(!hasQemu)("box disk convert", () => {
  test("writes raw unless told otherwise, qcow2 when compressing, and says so", async () => {
    const { path, box } = await diskFolder();
    qemuImg(path, "create", "-q", "-f", "qcow2", "a.qcow2", "1M");
    const odd = await box("disk", "convert", "a.qcow2", "b.qcow2");
    expect(odd.stderr).toMatch(/^warning\[.*b\.qcow2 will be a raw disk.*-O qcow2/);
    expect(statSync(join(path, "b.qcow2")).size).toBe(2 ** 20);
    const small = await box("disk", "convert", "-c", "a.qcow2", "c.img", "--format", "json");
    const said = JSON.parse(small.stdout);
    expect(output.parse(said)).toEqual(said);
    expect(said).toMatchObject({
      dstFormat: "qcow2",
      compression: "zlib",
      virtualSizeBytes: 2 ** 20,
    });
    const refused = await box("disk", "convert", "-O", "raw", "-c", "a.qcow2", "d.img");
    expect(refused).toMatchObject({ exitCode: 2, stdout: "" });
    expect(refused.stderr).toMatch(/^ {2}try +add -O qcow2/m);
    expect((await box("disk", "convert", "-q", "-c", "a.qcow2", "e.img")).stdout).toBe("e.img\n");
  });

  test("copies an internal snapshot by name", async () => {
    const { path, box } = await diskFolder();
    diskMatrix.find(({ name }) => name === "snapshots")?.make(path);
    await box("disk", "convert", "--snapshot", "one", "d.img", "ours.raw");
    qemuImg(path, "convert", "-l", "snapshot.name=one", "-O", "raw", "d.img", "theirs.raw");
    expect(readFileSync(join(path, "ours.raw"))).toEqual(readFileSync(join(path, "theirs.raw")));
    const missing = await box("disk", "convert", "--snapshot", "none", "d.img", "x.raw");
    expect(missing.exitCode).toBe(3);
    const raw = await box("disk", "convert", "-f", "raw", "--snapshot", "a", "ours.raw", "x.raw");
    expect(raw.exitCode).toBe(9);
  });

  test("refuses an existing target unless forced, and always its own source and base", async () => {
    const { path, box } = await diskFolder();
    qemuImg(path, "create", "-q", "-f", "raw", "base.raw", "1M");
    qemuImg(path, "create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "over.qcow2");
    writeFileSync(join(path, "old"), "old content");
    symlinkSync("over.qcow2", join(path, "link"));
    const before = readFileSync(join(path, "over.qcow2"));
    const exists = await box("disk", "convert", "over.qcow2", "old");
    expect(exists.exitCode).toBe(4);
    expect(exists.stderr).toMatch(/IO_EXISTS(.|\n)*--force/);
    expect(readFileSync(join(path, "old"), "utf8")).toBe("old content");
    for (const target of ["over.qcow2", "./over.qcow2", "link", "base.raw"]) {
      const run = await box("disk", "convert", "--force", "over.qcow2", target);
      expect(run.exitCode).toBe(2);
      expect(run.stderr).toContain("is read by this command");
    }
    expect(readFileSync(join(path, "over.qcow2"))).toEqual(before);
    expect((await box("disk", "convert", "--force", "over.qcow2", "old")).exitCode).toBe(0);
    expect(statSync(join(path, "old")).size).toBe(2 ** 20);
    const folder = await box("disk", "convert", "--force", "over.qcow2", ".");
    expect(folder.exitCode).toBe(6);
  });

  test("opens a base in another folder only when that is allowed, and tells which", async () => {
    const { path, box } = await diskFolder();
    const other = await diskFolder();
    qemuImg(other.path, "create", "-q", "-f", "raw", "base.raw", "1M");
    const base = join(other.path, "base.raw");
    qemuImg(path, "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", "over.qcow2");
    const refused = await box("disk", "convert", "over.qcow2", "out.raw");
    expect(refused).toMatchObject({ exitCode: 9, stdout: "" });
    expect(refused.stderr).toContain("error[QCOW2_BACKING_DENIED]");
    expect(refused.stderr).toContain(`--allow ${other.path}`);
    const allowed = await box("disk", "convert", "over.qcow2", "out.raw", "--allow", other.path);
    expect(allowed.exitCode).toBe(0);
    const nowhere = await box("disk", "convert", "over.qcow2", "o", "--allow", "none");
    expect(nowhere.exitCode).toBe(2);
  });

  test("shows its progress as events", async () => {
    const { path, box } = await diskFolder();
    qemuImg(path, "create", "-q", "-f", "raw", "a.raw", "5M");
    const run = await box("disk", "convert", "-f", "raw", "a.raw", "b.raw", "--progress", "json");
    const events = run.stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.at(-1)).toEqual({
      type: "progress",
      task: "convert",
      item: "b.raw",
      done: 5 * 2 ** 20,
      total: 5 * 2 ** 20,
      unit: "bytes",
    });
  });
});

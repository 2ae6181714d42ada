import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { diskFolder, qemuImg, qemuIo } from "../support/qemu.ts";
import { canRun } from "../support/spawn-box.ts";

const hasQemu = canRun("qemu-img", "--version");

describe.skipIf(!hasQemu)("box disk create --force", () => {
  test.each([
    [["--backing", "base", "--backing-format", "raw"]],
    [["--backing", "./link", "--backing-format", "raw"]],
    [["--backing", "base", "--backing-format", "raw", "--data-file", "data"]],
  ])("never replaces the backing file of what it makes: %j", async (flags) => {
    const { path, box } = await diskFolder();
    const content = new Uint8Array(65536).fill(7);
    writeFileSync(join(path, "base"), content);
    symlinkSync("base", join(path, "link"));
    const made = await box("disk", "create", "base", ...flags, "--force");
    expect(made.exitCode).toBe(2);
    expect(made.stderr).toContain("error[CLI_INVALID_ARGUMENT]");
    expect(readFileSync(join(path, "base"))).toEqual(Buffer.from(content));
  });

  test.each(["o", "sub/o"])("never replaces what its backing file stands on: %j", async (top) => {
    const { path, box } = await diskFolder();
    mkdirSync(join(path, "sub"));
    qemuImg(path, "create", "-q", "-f", "qcow2", "base", "1M");
    const below = relative(dirname(join(path, top)), join(path, "base"));
    const backing = ["-u", "-b", below, "-F", "qcow2"];
    qemuImg(path, "create", "-q", "-f", "qcow2", ...backing, top, "1M");
    const before = readFileSync(join(path, "base"));
    const flags = ["--backing", top, "--backing-format", "qcow2"];
    const made = await box("disk", "create", "base", ...flags, "--force");
    expect(made.exitCode).toBe(2);
    expect(readFileSync(join(path, "base"))).toEqual(before);
  });

  test("replaces nothing that a file in a third folder may stand on", async () => {
    const { path, box } = await diskFolder();
    for (const folder of ["a", "b", "c"]) mkdirSync(join(path, folder));
    const overlay = (file: string, below: string) =>
      qemuImg(path, "create", "-q", "-f", "qcow2", "-u", "-b", below, "-F", "qcow2", file, "1M");
    qemuImg(path, "create", "-q", "-f", "qcow2", "c/base", "1M");
    overlay("b/middle", "../c/base");
    overlay("a/top", "../b/middle");
    const before = readFileSync(join(path, "c/base"));
    const flags = ["--backing", "../a/top", "--backing-format", "qcow2", "--force"];
    const made = await box("disk", "create", "c/base", ...flags);
    expect(made.exitCode).toBe(2);
    expect(made.stderr).toContain("c/base may be what ../a/top stands on");
    expect(readFileSync(join(path, "c/base"))).toEqual(before);
    expect((await box("disk", "create", "c/new", ...flags)).exitCode).toBe(0);
  });

  test("replaces nothing that a disk may stand on whose data file is missing", async () => {
    const { path, box } = await diskFolder();
    qemuImg(path, "create", "-q", "-f", "qcow2", "base", "1M");
    const options = ["-o", `data_file=${join(path, "data")}`];
    const below = ["-u", "-b", "base", "-F", "qcow2"];
    qemuImg(path, "create", "-q", "-f", "qcow2", ...options, ...below, "middle", "1M");
    rmSync(join(path, "data"));
    const before = readFileSync(join(path, "base"));
    const flags = ["--backing", "middle", "--backing-format", "qcow2", "--force"];
    const made = await box("disk", "create", "base", ...flags);
    expect(made.exitCode).toBe(2);
    expect(made.stderr).toContain("base may be what middle stands on");
    expect(readFileSync(join(path, "base"))).toEqual(before);
  });

  test("never makes its backing file its data file", async () => {
    const { path, box } = await diskFolder();
    const content = new Uint8Array(65536).fill(7);
    writeFileSync(join(path, "base"), content);
    const backing = ["--backing", "base", "--backing-format", "raw"];
    const made = await box("disk", "create", "o", ...backing, "--data-file", "base", "--force");
    expect(made.exitCode).toBe(2);
    expect(readFileSync(join(path, "base"))).toEqual(Buffer.from(content));
    expect(readdirSync(path)).toEqual(["base"]);
  });

  test.each([
    ["x.qcow2", "x.qcow2", []],
    ["x.qcow2", "./sub/../x.qcow2", ["--force"]],
    ["x.qcow2", "link", ["--force"]],
  ])("makes no image that is its own data file: %s, %s", async (file, data, flags) => {
    const { path, box } = await diskFolder();
    if (flags.length > 0) writeFileSync(join(path, "x.qcow2"), "what was there");
    symlinkSync("x.qcow2", join(path, "link"));
    const before = readdirSync(path);
    const made = await box("disk", "create", file, "1MiB", "--data-file", data, ...flags);
    expect(made.exitCode).toBe(2);
    expect(made.stderr).toContain("cannot be its own data file");
    expect(readdirSync(path)).toEqual(before);
    if (flags.length > 0) expect(readFileSync(join(path, "x.qcow2"), "utf8")).toMatch(/^what/);
  });
});

test.skipIf(!hasQemu)("box disk amend makes no image its own data file", async () => {
  const { path, box } = await diskFolder();
  const options = ["-o", "data_file=data"];
  qemuImg(path, "create", "-q", "-f", "qcow2", ...options, "x.qcow2", "1M");
  symlinkSync("x.qcow2", join(path, "link"));
  const before = readFileSync(join(path, "x.qcow2"));
  for (const data of ["x.qcow2", "./link"]) {
    const amended = await box("disk", "amend", "x.qcow2", "--data-file", data);
    expect(amended.exitCode).toBe(2);
    expect(amended.stderr).toContain("cannot be its own data file");
  }
  expect(readFileSync(join(path, "x.qcow2"))).toEqual(before);
});

describe.skipIf(!hasQemu)("the permissions of a disk that is made", () => {
  const modeOf = (path: string): number => statSync(path).mode & 0o777;

  test("are those of the file that it replaces", async () => {
    const { path, box } = await diskFolder();
    for (const name of ["private.raw", "old.qcow2"]) {
      writeFileSync(join(path, name), new Uint8Array(65536));
      chmodSync(join(path, name), 0o600);
    }
    const convert = ["disk", "convert", "-f", "raw", "-O", "qcow2", "private.raw"];
    expect((await box(...convert, "old.qcow2", "--force")).exitCode).toBe(0);
    expect(modeOf(join(path, "old.qcow2"))).toBe(0o600);
  });

  test.each([0o022, 0o077])(
    "else are what a umask of %i leaves, as with qemu-img",
    async (mask) => {
      const { path, box } = await diskFolder();
      const before = process.umask(mask);
      try {
        expect((await box("disk", "create", "ours", "1MiB")).exitCode).toBe(0);
        qemuImg(path, "create", "-q", "-f", "qcow2", "theirs", "1M");
      } finally {
        process.umask(before);
      }
      expect(modeOf(join(path, "ours"))).toBe(modeOf(join(path, "theirs")));
    },
  );
});

describe.skipIf(!hasQemu)("names of which not all is shown", () => {
  test.each(["fam\u200Dily", "tab\there"])("name bitmaps and snapshots: %j", async (name) => {
    const { path, box } = await diskFolder();
    qemuImg(path, "create", "-q", "-f", "qcow2", "d.qcow2", "1M");
    for (const words of [
      ["bitmap", "add"],
      ["bitmap", "clear"],
      ["snapshot", "create"],
      ["bitmap", "remove"],
      ["snapshot", "apply"],
      ["snapshot", "delete"],
    ]) {
      const run = await box("disk", ...words, "d.qcow2", name);
      expect(`${words.join(" ")}: ${run.stderr}`).toBe(`${words.join(" ")}: `);
      expect(run.exitCode).toBe(0);
    }
    const info = JSON.parse(qemuImg(path, "info", "--output=json", "d.qcow2"));
    expect([info.snapshots, info["format-specific"].data.bitmaps]).toEqual([undefined, undefined]);
  });
});

describe.skipIf(!hasQemu)("--format qemu-json", () => {
  test("prints numbers of 2^53 and more as QEMU does", async () => {
    const { path, box } = await diskFolder();
    qemuImg(path, "create", "-q", "-f", "qcow2", "-o", "cluster_size=2M", "big.qcow2", "16P");
    const { stdout } = await box("disk", "info", "big.qcow2", "--format", "qemu-json");
    expect(stdout).toContain('"virtual-size": 18014398509481984,');
    expect(qemuImg(path, "info", "--output=json", "big.qcow2")).toContain(
      '"virtual-size": 18014398509481984,',
    );
  });
});

describe.skipIf(!hasQemu)("box disk rebase", () => {
  test("reads an encrypted backing file with the passphrase from a file", async () => {
    const { path, box } = await diskFolder();
    const secret = ["--object", "secret,id=s,data=abc"];
    const encrypted = "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10";
    writeFileSync(join(path, "plain.raw"), new Uint8Array(2 ** 20).fill(7));
    const formats = ["-f", "raw", "-O", "qcow2", "-o", encrypted];
    qemuImg(path, "convert", ...secret, ...formats, "plain.raw", "base.qcow2");
    const backing = ["-u", "-b", "base.qcow2", "-F", "qcow2"];
    qemuImg(path, "create", "-q", "-f", "qcow2", ...backing, "o.qcow2", "1M");
    const refused = await box("disk", "rebase", "--standalone", "o.qcow2");
    expect(refused.stderr).toContain("error[QCOW2_ENCRYPTED]");
    writeFileSync(join(path, "key"), "abc");
    const done = await box("disk", "rebase", "--standalone", "--passphrase-file", "key", "o.qcow2");
    expect(done.stderr).toBe("");
    qemuIo(path, "o.qcow2", "read -q -P 7 0 1M");
  });
});

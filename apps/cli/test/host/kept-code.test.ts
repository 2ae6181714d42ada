import { execFile } from "node:child_process";
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { readKeptCode, writeKeptCode } from "../../src/host/kept-code.ts";
import { builtFolder } from "../support/build-program.ts";

const run = promisify(execFile);
const main = join(builtFolder, "main.js");

interface Surroundings {
  readonly home: string;
  readonly temporary: string;
  /** Runs a command that loads some code. */
  box(env: Record<string, string>): Promise<void>;
}

async function surroundings(): Promise<Surroundings> {
  const folder = await mkdtemp(join(tmpdir(), "box-code-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const home = join(folder, "home");
  const temporary = join(folder, "tmp");
  await mkdir(home);
  await mkdir(temporary);
  const box = async (env: Record<string, string>): Promise<void> => {
    const { stdout } = await run(process.execPath, [main, "help"], {
      env: { TMPDIR: temporary, ...env },
    });
    expect(stdout).toContain("box");
  };
  return { home, temporary, box };
}

async function filesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).length;
}

test("what was compiled is kept in a folder of this user's alone", async () => {
  const { home, temporary, box } = await surroundings();
  await box({ HOME: home });
  const folder = join(home, ".cache/box/code");
  expect((await lstat(folder)).mode & 0o777).toBe(0o700);
  expect(await filesBelow(folder)).toBeGreaterThan(0);
  expect(await readdir(temporary)).toEqual([]);
});

test("the cache folder of the desktop's specification goes first", async () => {
  const { home, box } = await surroundings();
  await box({ HOME: home, XDG_CACHE_HOME: join(home, "cached") });
  expect(await filesBelow(join(home, "cached/box/code"))).toBeGreaterThan(0);
  expect(await filesBelow(join(home, ".cache"))).toBe(0);
});

test.each(["box", "box/code"])("nothing is kept where others can write to %s", async (spoilt) => {
  const { home, temporary, box } = await surroundings();
  await mkdir(join(home, ".cache/box/code"), { recursive: true });
  await chmod(join(home, ".cache", spoilt), 0o777);
  await box({ HOME: home });
  expect(await filesBelow(home)).toBe(0);
  expect(await readdir(temporary)).toEqual([]);
});

test("nothing is kept without a place for it", async () => {
  const { home, temporary, box } = await surroundings();
  await box({});
  await box({ HOME: "relative" });
  const file = join(home, "file");
  await writeFile(file, "");
  await box({ HOME: file });
  await box({ HOME: join(home, "missing") });
  expect(await readdir(home)).toEqual(["file"]);
  expect(await readdir(temporary)).toEqual([]);
});

// Who is not root can give nothing away.
test.skipIf(process.getuid?.() !== 0)("nothing is kept in a folder of another's", async () => {
  const { home, box } = await surroundings();
  const folder = join(home, ".cache/box/code");
  await mkdir(folder, { recursive: true });
  await chown(folder, 65534, 65534);
  await box({ HOME: home });
  expect(await filesBelow(home)).toBe(0);
});

test.skipIf(process.getuid?.() !== 0)("nothing is made in another's home", async () => {
  const { home, box } = await surroundings();
  await chown(home, 65534, 65534);
  await box({ HOME: home });
  expect(await readdir(home)).toEqual([]);
});

describe("what is kept", () => {
  test("is left alone after a few runs, and not kept when a run fails", async () => {
    const { home, box } = await surroundings();
    await expect(
      run(process.execPath, [main, "explain", "NOPE"], { env: { HOME: home } }),
    ).rejects.toMatchObject({ code: 3 });
    expect(await filesBelow(home)).toBe(0);
    const times: (number | undefined)[] = [];
    for (let i = 0; i < 3; i++) {
      await box({ HOME: home });
      times.push(readKeptCode(await keptFile(home))?.times);
    }
    expect(times).toEqual([1, 2, 3]);
    const before = await lstat(await keptFile(home));
    await box({ HOME: home });
    expect((await lstat(await keptFile(home))).ino).toBe(before.ino);
  });

  test.each([
    ["the digest", (bytes: Buffer) => flipped(bytes, 5)],
    ["the list", (bytes: Buffer) => flipped(bytes, 60)],
    ["the code", (bytes: Buffer) => flipped(bytes, bytes.length >> 1)],
    ["the end", (bytes: Buffer) => flipped(bytes, bytes.length - 1)],
    ["its length", (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1)],
    ["everything", (bytes: Buffer) => Buffer.alloc(bytes.length)],
    ["its being there", () => Buffer.alloc(0)],
  ])("is not used when %s has changed, but made again", async (_what, change) => {
    const { home, box } = await surroundings();
    await box({ HOME: home });
    const path = await keptFile(home);
    await writeFile(path, change(await readFile(path)));
    expect(readKeptCode(path)).toBeUndefined();
    await box({ HOME: home });
    expect(readKeptCode(path)?.times).toBe(1);
  });

  test("is not read through a link, and written in its place", async () => {
    const { home, box } = await surroundings();
    await box({ HOME: home });
    const path = await keptFile(home);
    await rename(path, join(home, "elsewhere"));
    await symlink(join(home, "elsewhere"), path);
    const before = await readFile(join(home, "elsewhere"));
    expect(readKeptCode(path)).toBeUndefined();
    await box({ HOME: home });
    expect((await lstat(path)).isFile()).toBe(true);
    expect((await readFile(join(home, "elsewhere"))).equals(before)).toBe(true);
  });

  test.skipIf(process.getuid?.() !== 0)("is not read when it is another's", async () => {
    const { home, box } = await surroundings();
    await box({ HOME: home });
    const path = await keptFile(home);
    await chown(path, 65534, 65534);
    expect(readKeptCode(path)).toBeUndefined();
    await chown(path, 0, 0);
    await chmod(path, 0o620);
    expect(readKeptCode(path)).toBeUndefined();
  });

  test("does not grow for ever by what is of other programs", async () => {
    const { home, box } = await surroundings();
    await box({ HOME: home });
    const path = await keptFile(home);
    const old = Buffer.alloc(2 ** 20);
    const codes = (count: number) =>
      new Map(Array.from({ length: count }, (_, index) => [`old ${index}`, old] as const));
    writeKeptCode(path, { times: 3, codes: codes(2) });
    await box({ HOME: home });
    expect(readKeptCode(path)?.codes.has("old 1")).toBe(true);
    writeKeptCode(path, { times: 3, codes: codes(20) });
    await box({ HOME: home });
    expect(readKeptCode(path)?.times).toBe(1);
    expect(readKeptCode(path)?.codes.has("old 1")).toBe(false);
  });

  test("is of the program that is run, also when all versions of it have one time", async () => {
    const { home, temporary } = await surroundings();
    const copy = join(temporary, "dist");
    await cp(builtFolder, copy, { recursive: true });
    const setTimes = async () => {
      for (const name of await readdir(copy)) await utimes(join(copy, name), 1, 1);
    };
    const help = () =>
      run(process.execPath, [join(copy, "main.js"), "help"], { env: { HOME: home } });
    await setTimes();
    for (let i = 0; i < 4; i++) await help();
    const [start = ""] = (await readdir(copy)).filter((name) => /^start-.{8}\.cjs$/.test(name));
    expect(start).not.toBe("");
    await rename(join(copy, start), join(copy, "start-NEXT-ONE.cjs"));
    for (const name of await readdir(copy)) {
      if (!name.endsWith(".cjs")) continue;
      const code = await readFile(join(copy, name), "utf8");
      await writeFile(join(copy, name), code.replaceAll(start, "start-NEXT-ONE.cjs"));
    }
    await setTimes();
    expect((await help()).stdout).toContain("box");
  });

  test("is of the program that is run, also when its files change and stay as long", async () => {
    const { home, temporary } = await surroundings();
    const copy = join(temporary, "dist");
    await cp(builtFolder, copy, { recursive: true });
    const help = () =>
      run(process.execPath, [join(copy, "main.js"), "help"], { env: { HOME: home } });
    for (let i = 0; i < 4; i++) expect((await help()).stdout).toContain("make a box: its disks");
    for (const name of await readdir(copy)) {
      if (!/^start-.*\.cjs$/.test(name)) continue;
      const code = await readFile(join(copy, name), "utf8");
      await writeFile(
        join(copy, name),
        code.replaceAll("make a box: its disks", "MAKE A BOX: ITS DISKS"),
      );
    }
    expect((await help()).stdout).toContain("MAKE A BOX: ITS DISKS");
  });
});

test("what a run that was killed left half written goes with the next ones", async () => {
  const { home, box } = await surroundings();
  await box({ HOME: home });
  const path = await keptFile(home);
  await writeFile(`${path}.tmp`, "half");
  await box({ HOME: home });
  expect(await keptFile(home)).toBe(path);
  await box({ HOME: home });
  expect(readKeptCode(path)?.times).toBe(2);
});

test("writing keeps nothing half written behind where there is no room for the name", () => {
  const path = join(tmpdir(), "x".repeat(300));
  writeKeptCode(path, { times: 1, codes: new Map([["a", Buffer.from("b")]]) });
  expect(readKeptCode(path)).toBeUndefined();
});

async function keptFile(home: string): Promise<string> {
  const folder = join(home, ".cache/box/code");
  const [name = "", ...others] = await readdir(folder);
  expect(others).toEqual([]);
  return join(folder, name);
}

function flipped(bytes: Buffer, at: number): Buffer {
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  return bytes;
}

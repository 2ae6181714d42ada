import { execFile } from "node:child_process";
import { chmod, chown, lstat, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { builtFolder } from "../support/build-program.ts";

const run = promisify(execFile);

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
    const main = join(builtFolder, "main.js");
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

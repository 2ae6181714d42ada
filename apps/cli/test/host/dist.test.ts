import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { readKeptCode } from "../../src/host/kept-code.ts";
import { createTestHome } from "../support/boxed-home.ts";
import { builtFolder } from "../support/build-program.ts";
import { canRun } from "../support/spawn-box.ts";

const run = promisify(execFile);
const main = join(builtFolder, "main.js");

describe("the built program", () => {
  test("runs from anywhere and needs nothing but its folder", async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), "box-dist-"));
    onTestFinished(() => rm(elsewhere, { recursive: true, force: true }));
    await cp(builtFolder, elsewhere, { recursive: true });
    const copied = join(elsewhere, "main.js");
    const version = await run(process.execPath, [copied, "--version"], { cwd: tmpdir() });
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(version.stderr).toBe("");
    // Every package is loaded for this, and the server.
    const codes = await run(process.execPath, [copied, "explain", "-q"], { cwd: tmpdir() });
    expect(codes.stdout).toContain("SERVER_STOPPING\n");
    const home = ["--home", join(elsewhere, "home")];
    const created = run(process.execPath, [
      copied,
      ...home,
      "create",
      "oci:/nope:a",
      "--name",
      "a",
    ]);
    await expect(created).rejects.toMatchObject({ code: 3 });
  });

  test("answers --version without the parser, and help without parser and schemas", async () => {
    expect(await sizeOf(await loaded("--version"))).toBeLessThan(10_000);
    expect(await sizeOf(await loaded("help"))).toBeLessThan(103_000);
    // The parser comes without the packages that share a module with it.
    expect(await sizeOf(await loaded("create", "--help"))).toBeLessThan(146_000);
  });

  test("makes a box of a known image without what it does not need, and waits seldom for the disk", async () => {
    const { box, home, image, folder } = await createTestHome();
    expect((await box(["create", image, "--name", "a"])).exitCode).toBe(0);
    const names = await loaded("--home", home, "create", image, "--name", "b");
    // No parser, no schemas, no registry client, nothing that builds or reads file systems, and of qcow2 only what makes images.
    expect(names.size).toBeLessThan(8);
    expect(await sizeOf(names)).toBeLessThan(348_000);
    if (!canRun("strace", "-f", "-e", "trace=fsync", "true")) return;
    const log = join(folder, "calls");
    const under = ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", log];
    expect((await box(["create", image, "--name", "c"], { under })).exitCode).toBe(0);
    const syncs = (await readFile(log, "utf8")).match(/sync\(\d/g) ?? [];
    // The beginning: the new log's header, its name and its content. Two folders. Twice a disk and its name. The end.
    // Closing the state: its log and itself. One more is for another SQLite; a commit that waits without need is two.
    expect(syncs.length).toBeGreaterThanOrEqual(3 + 2 + 4 + 1 + 2);
    expect(syncs.length).toBeLessThanOrEqual(3 + 2 + 4 + 1 + 2 + 1);
  });
});

/** The files of the program that a command line loads. */
async function loaded(...argv: string[]): Promise<ReadonlySet<string>> {
  const cache = await mkdtemp(join(tmpdir(), "box-dist-"));
  onTestFinished(() => rm(cache, { recursive: true, force: true }));
  const env = { ...process.env, XDG_CACHE_HOME: cache };
  await run(process.execPath, [main, ...argv], { env });
  const names = new Set(["main.js", "box.cjs"]);
  const folder = join(cache, "box/code");
  for (const file of await readdir(folder)) {
    // What was loaded is what is kept of a first run.
    const stamps = readKeptCode(join(folder, file))?.codes.keys() ?? [];
    for (const stamp of stamps) names.add(stamp.split(" ")[0] ?? "");
  }
  return names;
}

async function sizeOf(names: ReadonlySet<string>): Promise<number> {
  const texts = await Promise.all(
    [...names].map((name) => readFile(join(builtFolder, name), "utf8")),
  );
  return texts.reduce((sum, text) => sum + text.length, 0);
}

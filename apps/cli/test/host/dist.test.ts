import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { builtFolder } from "../support/build-program.ts";

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

  test("answers --version without the parser, and help without any schema", async () => {
    const loaded = async (...argv: string[]) => {
      const { stderr } = await run(process.execPath, [main, ...argv], {
        env: { ...process.env, NODE_DEBUG: "esm", NODE_COMPILE_CACHE: undefined },
        maxBuffer: 2 ** 26,
      });
      return new Set(
        [...stderr.matchAll(/file:\/\/[^\s'"]*\/([\w-]+\.js)/g)].map((match) => match[1] ?? ""),
      );
    };
    const sizeOf = async (names: Set<string>) => {
      const texts = await Promise.all(
        [...names].map((name) => readFile(join(builtFolder, name), "utf8")),
      );
      return texts.reduce((sum, text) => sum + text.length, 0);
    };
    expect(await sizeOf(await loaded("--version"))).toBeLessThan(10_000);
    expect(await sizeOf(await loaded("help"))).toBeLessThan(110_000);
  });
});

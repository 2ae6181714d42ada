import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileAgent, ensureAgent } from "@box/guest/boot";
import { expect, onTestFinished, test } from "vitest";

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "box-compile-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("the agent is compiled once for the same sources, by several at once too", async () => {
  const cacheDirectory = join(temporaryFolder(), "made");
  const [one, two] = await Promise.all([
    compileAgent({ cacheDirectory }),
    compileAgent({ cacheDirectory }),
  ]);
  expect(one).toEqual(two);
  expect(one.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(readdirSync(cacheDirectory)).toHaveLength(1);
  const { ino } = statSync(one.path);
  expect(await compileAgent({ cacheDirectory })).toEqual(one);
  expect(statSync(one.path).ino).toBe(ino);
});

test("without a compiler it says what to install", async () => {
  const compiling = compileAgent({
    cacheDirectory: temporaryFolder(),
    compilers: ["no-cc", "no-gcc"],
  });
  await expect(compiling).rejects.toMatchObject({
    code: "GUEST_COMPILER_MISSING",
    kind: "unsupported",
    hint: expect.stringContaining("musl-tools"),
  });
});

test("a compiler that fails is told with what it said, and nothing is left", async () => {
  const folder = temporaryFolder();
  const compiler = join(folder, "cc");
  const script = '#!/bin/sh\n[ "$1" = --version ] && exit 0\necho broken >&2\nexit 1\n';
  writeFileSync(compiler, script, { mode: 0o755 });
  const cacheDirectory = join(folder, "made");
  await expect(compileAgent({ cacheDirectory, compilers: [compiler] })).rejects.toMatchObject({
    code: "GUEST_COMPILE_FAILED",
    details: { compiler, output: "broken\n" },
  });
  expect(readdirSync(cacheDirectory)).toEqual([]);
});

test("compiling stops when it is told to", async () => {
  const signal = AbortSignal.abort(new Error("enough"));
  const compiling = compileAgent({ cacheDirectory: temporaryFolder(), signal });
  await expect(compiling).rejects.toThrow("enough");
});

test("in the repository nothing is prebuilt: it is compiled", async () => {
  const cacheDirectory = temporaryFolder();
  const { path } = await ensureAgent({ cacheDirectory });
  expect(path.startsWith(cacheDirectory)).toBe(true);
});

test("a build has the agent beside it, and needs no compiler", async () => {
  const dist = temporaryFolder();
  const script = join(import.meta.dirname, "../../agent/build.ts");
  execFileSync(process.execPath, ["--conditions=@box/source", script, dist]);
  const names = readdirSync(join(dist, "agent"));
  expect(names).toContain(`box-agent-${process.arch}`);
  expect(names).toContain("agent.h");
  // Not the first process of anything, it says how it is used.
  const agent = join(dist, "agent", `box-agent-${process.arch}`);
  expect(spawnSync(agent, []).status).toBe(2);
});

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StubRepository } from "./stub-repository.ts";

const report = (...statuses: readonly string[]) =>
  JSON.stringify({
    testResults: [
      {
        name: "/x/packages/one/test/a.oracle.test.ts",
        status: statuses.includes("failed") ? "failed" : "passed",
        assertionResults: statuses.map((status, index) => ({ fullName: `claim ${index}`, status })),
      },
    ],
  });

const summary = (...failed: readonly string[]) =>
  JSON.stringify({
    tasks: ["test", "build"].map((task) => ({
      taskId: `@box/one#${task}`,
      task,
      directory: "packages/one",
      execution: { exitCode: failed.includes(task) ? 1 : 0 },
    })),
  });

describe("npm test", () => {
  let repository: StubRepository;
  beforeEach(() => {
    repository = new StubRepository();
    repository.copy("packages/errors/src");
    spawnSync("git", ["init", "--quiet"], { cwd: repository.path });
  });
  afterEach(() => repository[Symbol.dispose]());

  async function verify(env: NodeJS.ProcessEnv, script = ["with-toolchain.mjs", "verify"]) {
    const [file = "", ...args] = script;
    const { code, stdout } = await repository.run(file, args, { env });
    return { code, line: stdout.trimEnd().split("\n").at(-1), stdout };
  }

  it("is green, and its last line is the sum", async () => {
    const env = { REPORT: report("passed", "passed", "skipped"), SUMMARY: summary() };
    expect(await verify(env)).toMatchObject({ code: 0, line: "2 passed, 0 failed, 1 skipped" });
  });

  it("names the command that brings the oracles that are missing", async () => {
    const env = { REPORT: report("passed", "skipped"), SUMMARY: summary() };
    const { stdout } = await verify(env);
    expect(stdout).toMatch(/1 oracle tests were skipped; missing: .*qemu-img/);
    expect(stdout).toMatch(/sudo apt-get install .*qemu-utils/);
  });

  it("in CI a skipped test is a failed one", async () => {
    const env = { REPORT: report("passed", "skipped"), SUMMARY: summary(), CI: "true" };
    const result = await verify(env);
    expect(result).toMatchObject({ code: 1, line: "1 passed, 1 failed, 0 skipped" });
    expect(result.stdout).toContain("skipped in CI: packages/one/test/a.oracle.test.ts: claim 1");
  });

  it.each(["biome", "depcruise", "knip", "typedoc"])(
    "counts %s that is red as one failure, and runs everything else",
    async (tool) => {
      const env = { REPORT: report("passed"), SUMMARY: summary(), FAULTY: tool };
      expect(await verify(env)).toMatchObject({ code: 1, line: "1 passed, 1 failed, 0 skipped" });
      const calls = repository.takeCalls().map((call) => call.split(" ")[0]);
      expect(calls).toEqual(
        expect.arrayContaining(["biome", "depcruise", "knip", "tsc", "turbo", "typedoc"]),
      );
    },
  );

  it("counts a style fault as one failure", async () => {
    repository.write({ "packages/one/src/utils.ts": "export {};\n" });
    const env = { REPORT: report("passed"), SUMMARY: summary() };
    expect(await verify(env)).toMatchObject({ code: 1, line: "1 passed, 1 failed, 0 skipped" });
  });

  it("counts failed tests one by one, and not their task again", async () => {
    const env = {
      REPORT: report("passed", "failed", "failed"),
      SUMMARY: summary("test"),
      TURBO_CODE: "1",
    };
    expect(await verify(env)).toMatchObject({ code: 1, line: "1 passed, 2 failed, 0 skipped" });
  });

  it("counts a test task that is red although its tests passed (coverage) as one failure", async () => {
    const env = { REPORT: report("passed"), SUMMARY: summary("test"), TURBO_CODE: "1" };
    expect(await verify(env)).toMatchObject({ code: 1, line: "1 passed, 1 failed, 0 skipped" });
  });

  it("counts a build that is red as one failure", async () => {
    const env = { REPORT: report("passed"), SUMMARY: summary("build"), TURBO_CODE: "1" };
    const result = await verify(env);
    expect(result).toMatchObject({ code: 1, line: "1 passed, 1 failed, 0 skipped" });
    expect(result.stdout).toContain("failed: @box/one#build");
  });

  it("does not count the report of an earlier run", async () => {
    repository.write({ "packages/one/.results/vitest.json": report("passed", "passed") });
    const result = await verify({ SUMMARY: summary() });
    expect(result).toMatchObject({ code: 1, line: "0 passed, 1 failed, 0 skipped" });
    expect(existsSync(join(repository.path, "packages/one/.results/vitest.json"))).toBe(false);
  });

  it("is red when turbo does not even run", async () => {
    expect(await verify({ FAULTY: "turbo" })).toMatchObject({
      code: 1,
      line: "0 passed, 2 failed, 0 skipped",
    });
  });

  it("ends with its line when the dependencies cannot be installed", async () => {
    const stub = repository.read("stubs/pnpm").replace('echo "pnpm chatter"', "exit 5");
    repository.write({ "stubs/pnpm": stub });
    expect(await verify({})).toMatchObject({ code: 5, line: "0 passed, 1 failed, 0 skipped" });
  });

  it("ends with its line when it is interrupted", async () => {
    const knip = repository.read("stubs/knip");
    repository.write({ "stubs/knip": `${knip}echo ready\nexec node "$root/echo.mjs" wait\n` });
    const ending = await repository.run("with-toolchain.mjs", ["verify"], { signal: "SIGTERM" });
    expect(ending.code).toBe(1);
    expect(ending.stdout.trimEnd().split("\n").at(-1)).toBe("0 passed, 2 failed, 0 skipped");
  });
});

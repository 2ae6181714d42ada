import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StubRepository } from "./stub-repository.ts";

const script = "with-toolchain.mjs";

describe("npm run box", () => {
  let repository: StubRepository;
  beforeEach(() => {
    repository = new StubRepository();
  });
  afterEach(() => repository[Symbol.dispose]());

  it("runs the command line in the user's folder and passes its arguments and exit code on", async () => {
    const cwd = join(repository.path, "user's own folder");
    mkdirSync(cwd);
    const args = ["7", "a b", `q'"\\x`, "line\nbreak", "", "$HOME", "*", "--json", "-"];
    const { code, stdout } = await repository.run(script, ["box", ...args], {
      env: { INIT_CWD: cwd },
    });
    expect(JSON.parse(stdout)).toEqual({ args, cwd });
    expect(code).toBe(7);
  });

  it("keeps standard output for data: installing and building speak on standard error", async () => {
    const { stdout, stderr } = await repository.run(script, ["box"]);
    expect(stdout.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain("pnpm chatter");
    expect(stderr).toContain("turbo chatter");
  });

  it("installs and builds once", async () => {
    await repository.run(script, ["box"]);
    expect(repository.takeCalls()).toEqual(["pnpm --version", "pnpm install", "turbo run"]);
    const { stderr } = await repository.run(script, ["box"]);
    expect(repository.takeCalls()).toEqual([]);
    expect(stderr).toBe("");
  });

  it("builds again when a source has changed", async () => {
    await repository.run(script, ["box"]);
    repository.takeCalls();
    repository.write({ "apps/cli/src/main.ts": "two, longer\n" });
    await repository.run(script, ["box"]);
    expect(repository.takeCalls()).toEqual(["pnpm --version", "turbo run"]);
  });

  it("installs again when the lockfile has changed", async () => {
    await repository.run(script, ["box"]);
    repository.takeCalls();
    repository.write({ "pnpm-lock.yaml": "lock: 2\n" });
    await repository.run(script, ["box"]);
    expect(repository.takeCalls()).toContain("pnpm install");
  });

  it("two first calls at once build one after the other, and both run", async () => {
    const endings = await Promise.all([
      repository.run(script, ["box", "0"]),
      repository.run(script, ["box", "0"]),
    ]);
    expect(endings.map(({ code }) => code)).toEqual([0, 0]);
    expect(repository.takeCalls().filter((call) => call === "turbo run")).toHaveLength(1);
  });

  it.each(["pnpm", "turbo"])(
    "fails with nothing on standard output when %s fails",
    async (tool) => {
      await repository.run(script, ["box"]);
      repository.write({ "pnpm-lock.yaml": "lock: 3\n" });
      // pnpm must still tell its version, so only its install fails.
      const stub = repository.read("stubs/pnpm").replace('echo "pnpm chatter"', "exit 5");
      if (tool === "pnpm") repository.write({ "stubs/pnpm": stub });
      const env = { FAULTY: tool === "turbo" ? "turbo" : "" };
      const { code, stdout, stderr } = await repository.run(script, ["box"], { env });
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toContain("could not be built");
    },
  );

  it.each([
    ["SIGTERM", 41],
    ["SIGINT", 42],
  ] as const)("passes %s on and ends with the program's exit code", async (signal, code) => {
    const ending = await repository.run(script, ["box", "wait"], { signal });
    expect(ending.code).toBe(code);
  });
});

describe("scripts of the root package", () => {
  it("run with their arguments unharmed, their exit code and their signals", async () => {
    using repository = new StubRepository();
    const args = ["5", "a b", "$HOME", "", "line\nbreak"];
    const { code, stdout } = await repository.run(script, ["echo", ...args]);
    expect(JSON.parse(stdout).args).toEqual(args);
    expect(code).toBe(5);
    const ending = await repository.run(script, ["echo", "wait"], { signal: "SIGTERM" });
    expect(ending.code).toBe(41);
  });

  it("an unknown one is refused with exit code 2", async () => {
    using repository = new StubRepository();
    expect((await repository.run(script, ["nothing"])).code).toBe(2);
    expect((await repository.run(script, ["toString"])).code).toBe(2);
    expect((await repository.run(script, [])).code).toBe(2);
  });

  it("says which Node.js is wanted where npm has none, and `npm test` still ends with its line", async () => {
    using repository = new StubRepository();
    const manifest = JSON.parse(repository.read("package.json"));
    repository.write({ "package.json": { ...manifest, engines: { node: ">=999" } } });
    const npm = "#!/bin/sh\nexit 9\n";
    repository.write({ "stubs/npm": npm });
    const { code, stdout, stderr } = await repository.run(script, ["verify"]);
    expect(code).toBe(1);
    expect(stdout).toBe("0 passed, 1 failed, 0 skipped\n");
    expect(stderr).toContain("box: ");
  });
});

import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { spawnBox } from "../support/spawn-box.ts";

/** Runs box with streams that go to a device on which every write fails for want of space. */
function boxTo(redirection: string, argv: readonly string[]) {
  return spawnBox(argv, { under: ["sh", "-c", `exec "$@" ${redirection}`, "sh"] });
}

describe.skipIf(!existsSync("/dev/full"))("box whose disk is full where its output goes", () => {
  test.each([[["explain"]], [["explain", "IO_FAILED"]], [["--help"]], [["--version"]]])(
    "ends %j with one error, a hint and exit code 6",
    async (argv) => {
      const run = await boxTo("> /dev/full", argv);
      expect(run).toMatchObject({ exitCode: 6, stdout: "" });
      expect(run.stderr).toMatch(/^error\[CLI_OUTPUT_FAILED\]: cannot write to stdout: ENOSPC/);
      expect(run.stderr).toMatch(/^ {2}try +\S/m);
      expect(run.stderr).not.toMatch(/\n\s+at /);
    },
  );

  test("says so as JSON when JSON was asked for", async () => {
    const run = await boxTo("> /dev/full", ["explain", "--format", "json"]);
    expect(run.exitCode).toBe(6);
    expect(JSON.parse(run.stderr).error).toMatchObject({
      code: "CLI_OUTPUT_FAILED",
      kind: "io",
      details: { stream: "stdout", errno: "ENOSPC" },
    });
  });

  test("keeps the exit code of a command whose stderr fails, or that failed by itself", async () => {
    expect((await boxTo("2> /dev/full", ["explain", "-q"])).exitCode).toBe(0);
    expect((await boxTo("2> /dev/full", ["explain", "NOPE"])).exitCode).toBe(3);
    expect((await boxTo("> /dev/full 2>&1", ["explain"])).exitCode).toBe(6);
    expect((await boxTo("> /dev/full", ["explain", "NOPE"])).exitCode).toBe(3);
  });
});

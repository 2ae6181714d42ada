import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { spawnBox, startBox } from "../support/spawn-box.ts";

describe("box as a process", () => {
  test("answers --version with one line and nothing on stderr", async () => {
    const run = await spawnBox(["--version"]);
    expect(run).toMatchObject({ exitCode: 0, stderr: "" });
    expect(run.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test("exits by the kind of the error", async () => {
    const run = await spawnBox(["explain", "NOPE"], { cwd: "/" });
    expect(run).toMatchObject({ exitCode: 3, stdout: "" });
    expect(run.stderr).toMatch(/^error\[CLI_UNKNOWN_CODE\]: /);
  });

  test("prints no escape sequence where stderr is not a terminal", async () => {
    const run = await spawnBox(["nope"], { env: { TERM: "xterm-256color" } });
    expect(run.stderr).not.toContain("\u001b");
  });

  test("says nothing when its reader leaves early", async () => {
    const child = startBox(["explain", "--format", "json"]);
    child.stdout.destroy();
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const [exitCode] = await once(child, "close");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  });
});

import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { createTestHome } from "../support/boxed-home.ts";
import { boxCommand, canRun } from "../support/spawn-box.ts";

/** From util-linux: runs a command on a terminal of its own. */
const script = "script";

/** Runs box on a terminal of its own and gives everything that appeared there. */
function onTerminal(argv: readonly string[], env: Record<string, string>): string {
  const command = boxCommand(argv)
    .map((word) => `'${word}'`)
    .join(" ");
  const { PATH = "" } = process.env;
  const run = spawnSync(script, ["-qec", command, "/dev/null"], {
    env: { PATH, HOME: "/nonexistent", TERM: "xterm-256color", ...env },
    encoding: "utf8",
  });
  return run.stdout;
}

describe.skipIf(!canRun(script, "-qec", "true", "/dev/null"))("on a terminal", () => {
  test("progress is redrawn and errors are coloured", async () => {
    const { home, image } = await createTestHome();
    expect(onTerminal(["--home", home, "create", image, "--name", "a"], {})).toContain("\u001b[");
    expect(onTerminal(["nope"], {})).toContain("\u001b[31m");
  });

  test.each([
    ["NO_COLOR", { NO_COLOR: "1" }],
    ["TERM=dumb", { TERM: "dumb" }],
    ["CI", { CI: "true" }],
  ])("there is no escape byte under %s, even when tty is asked for", async (_name, env) => {
    const { home, image } = await createTestHome();
    const argv = ["--home", home, "create", image, "--name", "a", "--progress", "tty"];
    const shown = onTerminal(argv, env as Record<string, string>);
    expect(shown).toContain("created");
    expect(shown).not.toContain("\u001b");
  });
});

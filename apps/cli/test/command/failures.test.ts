import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runtimeErrorKinds } from "@box/runtime";
import { describe, expect, onTestFinished, test } from "vitest";
import { commandName } from "../../src/command/define-command.ts";
import { homeFailures, opensHome } from "../../src/command/failures.ts";
import { renderHelp } from "../../src/command/help.ts";
import { commands } from "../../src/commands/table.ts";
import { renderCommandPages } from "../../src/docs/command-pages.ts";
import { runBoxHere } from "../support/run-box.ts";

/** A command line of every command that opens the home before it looks for anything else. */
const openers = [
  ["create", "oci:x:y"],
  ["prepare", "x"],
  ["ls"],
  ["inspect", "x"],
  ["rm", "x"],
  ["pull", "oci:x:y"],
  ["images"],
  ["rmi", "x"],
  ["tag", "x", "y"],
  ["rootfs", "build", "oci:x:y", "-o", "file"],
  ["rootfs", "verify"],
  ["rootfs", "restore", "x"],
  ["serve"],
];

/** The exit codes that a command's help lists. */
function helpCodes(name: string): number[] {
  const spec = commands.find((each) => commandName(each) === name);
  if (spec === undefined) throw new Error(`no command ${name}`);
  const [, section = ""] = renderHelp(spec).split("\nexit codes:\n");
  return section.split("\n").map((line) => Number(/^ +(\d+) {2}/.exec(line)?.[1]));
}

const nameOf = (argv: readonly string[]) =>
  commands.map(commandName).find((name) => `${argv.join(" ")} `.startsWith(`${name} `)) ?? "";

describe("a home that others can write to", () => {
  test.each(openers)(
    "is refused by box %s %s %s with an exit code of its help",
    async (...argv) => {
      const words = argv.filter((word) => word !== undefined);
      const folder = await mkdtemp(join(tmpdir(), "box-cli-"));
      onTestFinished(() => rm(folder, { recursive: true, force: true }));
      await chmod(folder, 0o777);
      const run = await runBoxHere(["--home", folder, ...words], { cwd: folder });
      expect(run.stderr).toContain("error[HOME_WRITABLE_BY_OTHERS]");
      expect(run.exitCode).toBe(9);
      expect(helpCodes(nameOf(words))).toEqual(expect.arrayContaining([2, 4, 5, 6, 9]));
    },
  );
});

test("the failures of opening a home are those of its codes", () => {
  const codes = Object.entries(runtimeErrorKinds).filter(([code]) => /^(HOME|STATE)_/.test(code));
  const kinds = new Set(codes.map(([, kind]) => kind));
  expect(new Set(homeFailures)).toEqual(kinds);
});

test("a command that needs no home has only its own failures", () => {
  expect(commands.filter((spec) => !opensHome(spec)).map(commandName)).toContain("explain");
  expect(helpCodes("version")).toEqual([0, 2, 124, 129, 130, 143]);
});

test("every help lists the exit codes of signals, and so does the page of all commands", () => {
  for (const spec of commands) {
    expect(helpCodes(commandName(spec))).toEqual(expect.arrayContaining([129, 130, 143]));
  }
  const page = renderCommandPages(commands);
  for (const code of [129, 130, 143]) expect(page).toContain(`\n- \`${code}\`: `);
  expect(page).toMatch(/## box inspect\n[^#]*Fails with 2, 3, 4, 5, 6, 9\./);
});

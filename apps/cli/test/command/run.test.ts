import { BoxError } from "@box/errors";
import { Qcow2Error } from "@box/qcow2";
import { describe, expect, test } from "vitest";
import type { CommandContext } from "../../src/command/define-command.ts";
import {
  type CommandAction,
  type CommandSpec,
  defineCommand,
} from "../../src/command/define-command.ts";
import { CliError } from "../../src/errors.ts";
import { runBoxHere } from "../support/run-box.ts";

/** A command that does what the test says. */
function probe(
  run: (context: CommandContext) => Promise<unknown>,
  action: Partial<CommandAction<unknown, unknown>> = {},
): { commands: readonly CommandSpec[] } {
  const spec = defineCommand<unknown, unknown>({
    path: ["probe"],
    summary: "a test's command",
    args: [],
    flags: [],
    formats: ["raw"],
    examples: [],
    failures: [],
    mutates: false,
    schemas: () => import("../../src/commands/version/schemas.ts"),
    action: async () => ({
      run: (_input, context) => run(context),
      text: (output) => `text ${String(output)}`,
      ...action,
    }),
  });
  return { commands: [spec] };
}

describe("stdout", () => {
  test("has the help without a command, and the version", async () => {
    const help = await runBoxHere([]);
    expect(help).toMatchObject({ exitCode: 0, stderr: "" });
    expect(help.stdout).toContain("usage: box COMMAND");
    expect((await runBoxHere(["help"])).stdout).toBe(help.stdout);
    expect(await runBoxHere(["--version"])).toEqual({ exitCode: 0, stdout: "1.2.3\n", stderr: "" });
    expect((await runBoxHere(["schema", "--help"])).stdout).toContain(
      "usage: box schema COMMAND...",
    );
  });

  test("has the result as text, as JSON, as identifiers or in a format of the command", async () => {
    const commands = probe(async () => "x", {
      identifiers: (output) => [`id ${String(output)}`],
      formatted: (output, format) => `${format} ${String(output)}`,
    });
    expect((await runBoxHere(["probe"], commands)).stdout).toBe("text x\n");
    expect((await runBoxHere(["probe", "--format", "json"], commands)).stdout).toBe('"x"\n');
    expect((await runBoxHere(["probe", "-q"], commands)).stdout).toBe("id x\n");
    const both = await runBoxHere(["probe", "-q", "--format", "json"], commands);
    expect(both.stdout).toBe('"x"\n');
    expect((await runBoxHere(["probe", "--format", "raw"], commands)).stdout).toBe("raw x\n");
  });

  test("stays empty when the command has no result", async () => {
    const run = await runBoxHere(
      ["probe"],
      probe(async () => undefined),
    );
    expect(run).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });

  test("stays empty when the command fails", async () => {
    const run = await runBoxHere(
      ["probe"],
      probe(() => Promise.reject(new Error("boom"))),
    );
    expect(run.stdout).toBe("");
  });
});

describe("the exit code", () => {
  test("is the one of the error's kind", async () => {
    const missing = new BoxError({ code: "X_MISSING", kind: "not-found", message: "no x" });
    const run = await runBoxHere(
      ["probe"],
      probe(() => Promise.reject(missing)),
    );
    expect(run).toEqual({
      exitCode: 3,
      stdout: "",
      stderr: "error[X_MISSING]: no x\n  more  box explain X_MISSING\n",
    });
  });

  test("may be the command's own, with its result on stdout", async () => {
    const run = await runBoxHere(
      ["probe"],
      probe(async () => 5, { exitCode: Number }),
    );
    expect(run).toMatchObject({ exitCode: 5, stdout: "text 5\n" });
  });

  test("is 1 for a fault in box, which names the file with the stack trace", async () => {
    const run = await runBoxHere(
      ["probe"],
      probe(() => Promise.reject(new TypeError("x is not y"))),
    );
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain("error[INTERNAL]: x is not y");
    expect(run.stderr).toContain("/tmp/box-crash.txt");
    expect(run.stderr).not.toMatch(/\n\s+at /);
  });

  test("is 2 for a wrong command line, as JSON when JSON was asked for", async () => {
    const text = await runBoxHere(["nope"]);
    expect(text).toMatchObject({ exitCode: 2, stdout: "" });
    for (const argv of [
      ["nope", "--format", "json"],
      ["--format=json", "nope"],
    ]) {
      const json = await runBoxHere(argv);
      expect(JSON.parse(json.stderr)).toMatchObject({
        error: { code: "CLI_USAGE", kind: "usage" },
      });
    }
  });

  test("is 130 after a signal, and the error says which", async () => {
    const controller = new AbortController();
    const reason = new CliError({ code: "CLI_INTERRUPTED", message: "stopped by SIGINT" });
    const run = await runBoxHere(["probe"], {
      signal: controller.signal,
      ...probe(async ({ signal }) => {
        controller.abort(reason);
        expect(signal.aborted).toBe(true);
        throw new DOMException("This operation was aborted", "AbortError");
      }),
    });
    expect(run.exitCode).toBe(130);
    expect(run.stderr).toContain("error[CLI_INTERRUPTED]: stopped by SIGINT");
  });

  test("is 124 when --timeout is reached", async () => {
    const run = await runBoxHere(["probe", "--timeout", "1ms"], {
      ...probe(
        ({ signal }) =>
          new Promise((_, reject) => {
            signal.addEventListener("abort", () =>
              reject(new DOMException("This operation was aborted", "AbortError")),
            );
          }),
      ),
    });
    expect(run.exitCode).toBe(124);
    expect(run.stderr).toContain("error[CLI_TIMEOUT]");
  });
});

describe("the context", () => {
  test.each([
    [["probe", "--home", "h"], {}, "/w/h"],
    [["probe"], { BOX_HOME: "/b" }, "/b"],
    [["probe"], { XDG_DATA_HOME: "/x" }, "/x/box"],
    [["probe"], { XDG_DATA_HOME: "relative", HOME: "/u" }, "/u/.local/share/box"],
    [["probe"], { HOME: "/u" }, "/u/.local/share/box"],
  ])("has the home of %j under %j", async (argv, env, home) => {
    const run = await runBoxHere(argv, {
      env,
      cwd: "/w",
      ...probe(async (context) => context.home),
    });
    expect(run.stdout).toBe(`text ${home}\n`);
  });

  test.each([["--home", ""], ["--home="]])(
    "is not made for an empty home: %j",
    async (...flags) => {
      const run = await runBoxHere(
        ["probe", ...flags],
        probe(async (context) => context.home),
      );
      expect(run).toMatchObject({ exitCode: 2, stdout: "" });
      expect(run.stderr).toContain("error[CLI_USAGE]: --home is empty");
    },
  );

  test("shows events on stderr in the chosen mode, and its renderer is opened once", async () => {
    const event = { type: "warning", task: "t", code: "W", message: "look out" };
    const commands = probe(async ({ progress }) => {
      expect(await progress()).toBe(await progress());
      (await progress()).event(event);
      (await progress()).print("a note");
    });
    const plain = await runBoxHere(["probe"], commands);
    expect(plain.stderr).toBe("warning[W]: look out\na note\n");
    const json = await runBoxHere(["probe", "--progress", "json"], commands);
    expect(json.stderr).toBe(`${JSON.stringify(event)}\na note\n`);
  });
});

describe("stderr for programs", () => {
  const warning = { type: "warning", code: "W", message: "look out" };
  const failing = probe(async ({ progress, reportError }) => {
    (await progress()).event(warning);
    await reportError(new CliError({ code: "CLI_USAGE", message: "first" }));
    throw new CliError({ code: "CLI_USAGE", message: "second" });
  });
  const lines = (stderr: string) =>
    stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));

  test.each([
    ["--progress", "json"],
    ["--format", "json"],
    ["--format", "json", "--progress", "none"],
    ["--format", "json", "--quiet"],
    ["--format", "json", "--progress", "plain"],
  ])("is one JSON object a line with %s %s %s %s", async (...flags) => {
    const { stderr } = await runBoxHere(["probe", ...flags], failing);
    expect(lines(stderr)).toMatchObject([
      warning,
      { error: { code: "CLI_USAGE", message: "first" } },
      { error: { code: "CLI_USAGE", message: "second" } },
    ]);
  });

  test("has the error of --format json with --progress json, even before the flags are known", async () => {
    const cases = [
      [["nope", "--progress", "json"], {}],
      [["--progress=json", "nope"], {}],
      [["nope"], { BOX_PROGRESS: "json" }],
    ] as const;
    const { stderr: expected } = await runBoxHere(["nope", "--format", "json"]);
    for (const [argv, env] of cases)
      expect((await runBoxHere(argv, { env })).stderr).toBe(expected);
    const plain = await runBoxHere(["nope", "--progress", "plain"], {
      env: { BOX_PROGRESS: "json" },
    });
    expect(plain.stderr).toMatch(/^error\[CLI_USAGE\]/);
  });
});

describe("an error without a hint", () => {
  test("gets the advice of its code's page, as text and as JSON", async () => {
    const error = new BoxError({ code: "IO_NO_SPACE", kind: "no-space", message: "full" });
    const commands = probe(() => Promise.reject(error));
    const text = await runBoxHere(["probe"], commands);
    expect(text.stderr).toMatch(/^ {2}try {3}Free some space/m);
    const json = await runBoxHere(["probe", "--format", "json"], commands);
    expect(JSON.parse(json.stderr).error.hint).toMatch(/^Free some space/);
  });

  test("gets it in place of one that @box/qcow2 has for all programs", async () => {
    const error = new Qcow2Error({ code: "QCOW2_SNAPSHOT_NOT_FOUND", message: "none" });
    const text = await runBoxHere(
      ["probe"],
      probe(() => Promise.reject(error)),
    );
    expect(text.stderr.match(/^ {2}try .*/gm)).toEqual([
      expect.stringContaining("box disk info IMAGE"),
    ]);
    const own = { code: "QCOW2_SNAPSHOT_NOT_FOUND", message: "none", hint: "look closer" } as const;
    const given = await runBoxHere(
      ["probe"],
      probe(() => Promise.reject(new Qcow2Error(own))),
    );
    expect(given.stderr.match(/^ {2}try .*/gm)).toEqual([expect.stringContaining("look closer")]);
  });
});

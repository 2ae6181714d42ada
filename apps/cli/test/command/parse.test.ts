import { describe, expect, test } from "vitest";
import { parseDuration } from "../../src/command/duration.ts";
import { parseCommandLine } from "../../src/command/parse.ts";
import { commands } from "../../src/commands/table.ts";

const parse = (argv: string[], env: Record<string, string> = {}) => {
  const parsed = parseCommandLine(argv, { commands, version: "1.2.3", env });
  if (parsed.type === "text") throw new Error("a command was expected");
  return parsed;
};

describe("parseCommandLine", () => {
  test("takes global flags before and after the command", () => {
    const before = parse(["--home", "/h", "--format", "json", "-q", "version"]);
    const after = parse(["version", "--home", "/h", "--format=json", "-q"]);
    expect(after.globals).toEqual(before.globals);
    expect(after.globals).toMatchObject({ home: "/h", format: "json", quiet: true });
  });

  test("collects a flag that may be repeated", () => {
    const { globals } = parse(["--insecure", "a:1", "version", "--insecure", "b"]);
    expect(globals.insecureHosts).toEqual(["a:1", "b"]);
  });

  test("takes an environment variable where the flag is missing, and the flag where both are there", () => {
    const env = { BOX_HOME: "/from-env", BOX_PROGRESS: "none" };
    expect(parse(["version"], env).globals).toMatchObject({ home: "/from-env", progress: "none" });
    expect(parse(["version", "--home", "/flag"], env).globals.home).toBe("/flag");
    expect(parse(["version"], { BOX_HOME: "" }).globals.home).toBeUndefined();
  });

  test("shows fewer messages when quiet, unless told otherwise", () => {
    expect(parse(["version"]).globals.logLevel).toBe("info");
    expect(parse(["version", "-q"]).globals.logLevel).toBe("warn");
    expect(parse(["version", "-q", "--log-level", "debug"]).globals.logLevel).toBe("debug");
  });

  test("leaves out words that were not given", () => {
    expect(parse(["explain"]).input).toEqual({});
    expect(parse(["help"]).input).toEqual({});
    expect(parse(["schema", "rootfs", "build"]).input).toEqual({ command: ["rootfs", "build"] });
  });

  test.each([
    [["crate"], "CLI_USAGE", "unknown command 'crate'"],
    [["version", "--nope"], "CLI_USAGE", "unknown option '--nope'"],
    [["version", "extra"], "CLI_USAGE", "too many arguments for 'version'"],
    [["schema"], "CLI_USAGE", "missing required argument 'command'"],
    [["version", "--home"], "CLI_USAGE", "option '--home <DIR>' argument missing"],
    [["version", "--progress", "loud"], "CLI_INVALID_ARGUMENT", "loud"],
    [["version", "--format", "xml"], "CLI_INVALID_ARGUMENT", 'box version has no format "xml"'],
    [["version", "--timeout", "soon"], "CLI_INVALID_ARGUMENT", 'not a duration: "soon"'],
  ])("refuses %j", (argv, code, message) => {
    expect(() => parse(argv)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });

  test("refuses a variable with an unknown mode", () => {
    expect(() => parse(["version"], { BOX_PROGRESS: "loud" })).toThrow(
      expect.objectContaining({ code: "CLI_INVALID_ARGUMENT" }),
    );
  });

  test.each([
    [["create"], "run: box create --help"],
    [["disk", "info", "a", "b"], "run: box disk info --help"],
    [["version", "--home"], "run: box version --help"],
    [["-Z"], "run: box --help"],
  ])("names the help to read after %j", (argv, hint) => {
    expect(() => parse(argv)).toThrow(expect.objectContaining({ code: "CLI_USAGE", hint }));
  });

  test("suggests the command that was probably meant", () => {
    expect(() => parse(["versio"])).toThrow(
      expect.objectContaining({ hint: "Did you mean version?" }),
    );
  });
});

describe("parseDuration", () => {
  test.each([
    ["500ms", 500],
    ["30", 30_000],
    ["30s", 30_000],
    ["1.5m", 90_000],
    ["1h", 3_600_000],
  ])("reads %s", (text, ms) => expect(parseDuration(text)).toBe(ms));

  test.each(["", "0", "-1s", "1d", "1e9s", "600h ", "9999999h"])("refuses %j", (text) => {
    expect(() => parseDuration(text)).toThrow(
      expect.objectContaining({ code: "CLI_INVALID_ARGUMENT" }),
    );
  });
});

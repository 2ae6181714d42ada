import { describe, expect, test } from "vitest";
import { parseCommandLine } from "../../src/command/parse.ts";
import { readPlainLine } from "../../src/command/plain-line.ts";
import { commands } from "../../src/commands/table.ts";

const env = { BOX_HOME: "/from-env" };
const plain = (argv: readonly string[]) => readPlainLine(argv, { commands, env });
const parsed = (argv: readonly string[]) =>
  parseCommandLine(argv, { commands, version: "1.2.3", env });

/** What both make of a line; a thrown error as its text. */
function outcome(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    return String(error);
  }
}

/** Every line of up to so many of the words, after a beginning. */
function* linesOf(
  words: readonly string[],
  most: number,
  start: readonly string[],
): Generator<string[]> {
  yield [...start];
  if (most === 0) return;
  for (const word of words) yield* linesOf(words, most - 1, [...start, word]);
}

const words = [
  "a",
  "b=c",
  "",
  "-",
  "--",
  "-q",
  "-v",
  "-h",
  "-qv",
  "--help",
  "--home",
  "--home=/h",
  "--home=",
];
const flags = [
  "--name",
  "--name=n",
  "--rm",
  "--rm=x",
  "--pull",
  "never",
  "--label",
  "--no-color",
  "--nope",
  "-V",
];
const disk = [
  "info",
  "snapshot",
  "list",
  "create",
  "a",
  "--format",
  "json",
  "--format=xml",
  "--size",
  "-q",
  "1G",
];

describe("readPlainLine", () => {
  test.each([
    ["of create", [...words, ...flags], 2, ["create"]],
    ["of create with an image", [...words, ...flags], 2, ["create", "a"]],
    ["with flags before the command", [...words, "create", "ls"], 3, []],
    ["of groups", disk, 3, ["disk"]],
    ["of programs in boxes", [...words, "--env", "A=b", "-e", "--", "exec"], 2, ["exec", "a", "b"]],
  ] as const)(
    "agrees with the parser about every line %s, or says nothing",
    (_, vocabulary, most, start) => {
      let said = 0;
      for (const argv of linesOf(vocabulary, most, start)) {
        const found = outcome(() => plain(argv));
        if (found === undefined) continue;
        said++;
        expect({ argv, found }).toEqual({ argv, found: outcome(() => parsed(argv)) });
      }
      expect(said).toBeGreaterThan(2);
    },
  );

  test("reads what people write most", () => {
    const lines = [
      ["create", "alpine", "--name", "web", "--disk-size", "4GiB", "--label", "a=b", "--label=c=d"],
      ["--home", "/h", "-q", "create", "oci:./a:b"],
      ["ls"],
      ["rm", "-f", "a", "b", "c"],
      ["disk", "info", "a.qcow2", "--format", "json"],
    ];
    for (const argv of lines) expect(plain(argv)).toEqual(parsed(argv));
  });

  test("says nothing about the beginning of longer commands, and about lines without a command", () => {
    for (const argv of [[], ["disk"], ["nope"], ["--home"], ["create"]]) {
      expect(plain(argv)).toBeUndefined();
    }
  });
});

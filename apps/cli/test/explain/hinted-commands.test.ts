import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { commandName } from "../../src/command/define-command.ts";
import { commands } from "../../src/commands/table.ts";

const root = join(import.meta.dirname, "../../../..");
const names = commands.map(commandName);

/** Words that follow "box" where it is the program or a box that is spoken of, and no command. */
const prose = new Set(
  "cannot checks does from has in is itself knows looks makes never of on or refuses runs stays that uses was with wrote".split(
    " ",
  ),
);

/** The commands that a text tells a person to run, as far as their words are fixed. */
function mentionedCommands(source: string): string[] {
  const withoutComments = source.replace(/^\s*(\/\*\*|\*|\/\/).*$/gm, "");
  return [...withoutComments.matchAll(/\bbox ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)/g)]
    .map(([, words = ""]) => words)
    .filter((words) => !prose.has(words.split(" ")[0] ?? ""));
}

function isCommand(words: string): boolean {
  const [first = ""] = words.split(" ");
  return names.includes(words) || names.includes(first);
}

function sourcesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name));
}

test("every command that a hint or a page names is in the command table", () => {
  const packages = readdirSync(join(root, "packages")).map((name) => `packages/${name}/src`);
  const files = [...packages, "apps/cli/src/explain/pages"].flatMap(sourcesBelow);
  const found = files.flatMap((file) =>
    mentionedCommands(readFileSync(join(root, file), "utf8")).map((words) => ({ file, words })),
  );
  expect(found.filter(({ words }) => isCommand(words)).length).toBeGreaterThan(20);
  expect(found.filter(({ words }) => !isCommand(words))).toEqual([]);
});

test.each([
  ["stop the box with: box stop web", ["stop web"]],
  ["run: box disk check FILE", ["disk check"]],
  ["box refuses to go on", []],
])("in %j the commands are %j", (text, expected) => {
  expect(mentionedCommands(text)).toEqual(expected);
});

import { describe, expect, test } from "vitest";
import { commandName, inputKey } from "../../src/command/define-command.ts";
import { globalFlags } from "../../src/command/global-flags.ts";
import { flagLabel, renderGroupHelp, renderHelp } from "../../src/command/help.ts";
import { buildProgram, parseCommandLine } from "../../src/command/parse.ts";
import { commands } from "../../src/commands/table.ts";
import { completeWords } from "../../src/completion/complete.ts";
import { renderCommandPages } from "../../src/docs/command-pages.ts";

const rows = commands.map((spec) => [commandName(spec), spec] as const);
const shown = commands.filter((spec) => !spec.hidden);

describe.each(rows)("box %s", (name, spec) => {
  test("has every flag and argument in the parser", () => {
    const found = spec.path.reduce(
      (command, word) => command?.commands.find((each) => each.name() === word),
      buildProgram(commands, () => {}) as ReturnType<typeof buildProgram> | undefined,
    );
    expect(found?.options.map((option) => option.long)).toEqual(
      spec.flags.map((f) => `--${f.name}`),
    );
    expect(found?.registeredArguments.map((argument) => argument.name())).toEqual(
      spec.args.map((argument) => argument.name),
    );
  });

  test("has every flag, argument and example in its help", () => {
    const help = renderHelp(spec);
    for (const flag of [...spec.flags, ...globalFlags]) expect(help).toContain(flagLabel(flag));
    for (const argument of spec.args) expect(help).toContain(`  ${argument.name.toUpperCase()}`);
    for (const example of spec.examples) expect(help).toContain(example.command);
    expect(spec.examples.length).toBeGreaterThan(0);
  });

  test("has exactly its flags and arguments in its input schema, none of them with a default", async () => {
    const { input } = await spec.schemas();
    const keys = [...spec.args, ...spec.flags].map((each) => inputKey(each.name)).sort();
    const { shape } = input as unknown as { shape: Record<string, unknown> };
    expect(Object.keys(shape).sort()).toEqual(keys);
    if (spec.args.every((argument) => argument.optional)) expect(input.parse({})).toEqual({});
  });

  test("has an action that loads", async () => {
    const action = await spec.action();
    expect(action.run).toBeTypeOf("function");
    expect(action.text).toBeTypeOf("function");
  });

  test("has examples that the parser takes", () => {
    for (const { command } of spec.examples) {
      const [program, ...argv] = wordsOf(command);
      expect(program).toBe("box");
      const parsed = parseCommandLine(argv, { commands, version: "1", env: {} });
      expect(parsed).toMatchObject({ type: "command", spec: { path: spec.path } });
    }
  });

  test("has no flag that hides a global one, and a required argument never follows an optional one", () => {
    const taken = globalFlags.flatMap((flag) => [flag.name, flag.short ?? flag.name]);
    for (const flag of spec.flags) {
      expect(taken).not.toContain(flag.name);
      expect(taken).not.toContain(flag.short ?? "none");
    }
    const optional = spec.args.map((argument) => argument.optional === true);
    expect(optional).toEqual(optional.toSorted((a, b) => Number(a) - Number(b)));
    expect(spec.args.slice(0, -1).some((argument) => argument.many)).toBe(false);
  });

  test("has its flags offered by completion, unless it is hidden", async () => {
    const { candidates } = await completeWords([...spec.path, "--"], commands, async () => []);
    const values = candidates.map((candidate) => candidate.value);
    const own = spec.hidden ? [] : spec.flags.map((flag) => `--${flag.name}`);
    expect(values).toEqual(
      expect.arrayContaining([...own, ...globalFlags.map((f) => `--${f.name}`)]),
    );
  });

  test(`is in the list of commands unless it is hidden`, () => {
    expect(renderGroupHelp([], commands).includes(`  ${name} `)).toBe(!spec.hidden);
  });
});

test("no two commands have one name, and no command is also a group", () => {
  const names = commands.map(commandName);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(names.some((other) => other.startsWith(`${name} `))).toBe(false);
});

test("the pages in docs/ are those made from the table", async () => {
  await expect(renderCommandPages(shown)).toMatchFileSnapshot("../../docs/commands.md");
});

/** The words of an example, up to the first shell operator. */
function wordsOf(command: string): string[] {
  const words = command.split(" ").map((word) => word.replace(/^'(.*)'$/, "$1"));
  const end = words.findIndex((word) => word === ">" || word === "|");
  return end === -1 ? words : words.slice(0, end);
}

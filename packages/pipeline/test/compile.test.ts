import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";

const folder = fileURLToPath(new URL(".", import.meta.url));
const head = `
import { defineGraph, definePlan, defineTask, type Key, key, runPlan } from "@box/pipeline";
const layout: Key<"layout", string> = key("layout");
const setup = defineTask({ name: "setup", provides: [layout], run: () => ({ layout: "" }) });
const use = defineTask({ name: "use", needs: [layout], run: () => undefined });
const plan = definePlan({ name: "p" });
`;

/** Messages of the compiler, under this package's settings, for sources that begin with {@link head}. */
function compile(bodies: readonly string[]): string[][] {
  const config = ts.getParsedCommandLineOfConfigFile(
    `${folder}../tsconfig.json`,
    {},
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: () => {},
    },
  );
  const options = config?.options ?? {};
  const host = ts.createCompilerHost(options);
  const sources = new Map(bodies.map((body, index) => [`${folder}case-${index}.ts`, head + body]));
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => sources.has(name) || fileExists.call(host, name);
  host.readFile = (name) => sources.get(name) ?? readFile.call(host, name);
  host.getSourceFile = (name, language, ...rest) => {
    const text = sources.get(name);
    return text === undefined
      ? getSourceFile.call(host, name, language, ...rest)
      : ts.createSourceFile(name, text, language);
  };
  const program = ts.createProgram([...sources.keys()], options, host);
  return [...sources.keys()].map((name) => {
    const file = program.getSourceFile(name);
    return program
      .getSemanticDiagnostics(file)
      .filter(({ code }) => code !== 6133)
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
  });
}

test("only plans in which every input exists in time compile", { timeout: 60_000 }, () => {
  const [inOrder, tooEarly, beside, neverMade, missingInput] = compile([
    "export const ok = runPlan(plan.stage([setup]).stage([use]));",
    "export const bad = plan.stage([use]).stage([setup]);",
    "export const bad = plan.stage([setup, use]);",
    'export const bad = defineGraph({ name: "g", tasks: [use] });',
    'export const bad = runPlan(definePlan({ name: "p", inputs: [layout] }));',
  ]);
  expect(inOrder).toEqual([]);
  expect(tooEarly?.[0]).toContain('MissingInput<"layout">');
  expect(beside?.[0]).toContain('MissingInput<"layout">');
  expect(neverMade?.[0]).toContain('MissingInput<"layout">');
  expect(missingInput?.[0]).toContain("Expected 2 arguments");
});

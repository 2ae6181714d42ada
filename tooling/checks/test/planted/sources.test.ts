import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root, runTool, TemporaryFolder } from "../workspace.ts";

/** A folder with the repository's settings, its tools, and one sound package. */
function plant(files: Readonly<Record<string, string | object>>): TemporaryFolder {
  const folder = new TemporaryFolder();
  folder.copy("biome.jsonc", ".gitignore", "knip.jsonc", "typedoc.config.mjs", "tooling/tsconfig");
  symlinkSync(join(root, "node_modules"), join(folder.path, "node_modules"));
  folder.write({
    "package.json": { name: "planted", private: true, type: "module", workspaces: ["packages/*"] },
    "packages/sound/package.json": {
      name: "@box/sound",
      version: "1.0.0",
      type: "module",
      exports: { ".": { "@box/source": "./src/index.ts" } },
    },
    "README.md": "# planted\n",
    "packages/sound/tsconfig.json": {
      extends: "../../tooling/tsconfig/base.json",
      include: ["src"],
    },
    "packages/sound/tsconfig.core.json": {
      extends: "../../tooling/tsconfig/core.json",
      include: ["src"],
    },
    "packages/sound/src/index.ts": 'export { two } from "./two.ts";\n',
    "packages/sound/src/two.ts": "/** The number after one. */\nexport const two: number = 2;\n",
  });
  folder.write(files);
  return folder;
}

const source = "packages/sound/src/index.ts";
const sound = 'export { two } from "./two.ts";\n';

describe("biome", () => {
  const args = ["check", "--error-on-warnings", "--max-diagnostics=none", "packages/sound/src"];

  it("passes the sound package", () => {
    using folder = plant({});
    const result = runTool("biome", args, { cwd: folder.path });
    expect(result.code, result.output).toBe(0);
  });

  it.each([
    ["bad format", `${sound}export const  three = 3;\n`, "format"],
    ["an unused variable", `${sound}const three = 3;\n`, "noUnusedVariables"],
    [
      "a floating promise",
      `${sound}async function work(): Promise<void> {}\n\nexport function start(): void {\n  work();\n}\n`,
      "noFloatingPromises",
    ],
    [
      "a promise where a condition is wanted",
      `${sound}async function isDone(): Promise<boolean> {\n  return true;\n}\n\nexport function start(): number {\n  if (isDone()) return 1;\n  return 2;\n}\n`,
      "noMisusedPromises",
    ],
    ["an unused import", `import { join } from "node:path";\n\n${sound}`, "noUnusedImports"],
    [
      "a type imported as a value",
      `import { Buffer } from "node:buffer";\n\n${sound}export type Three = Buffer;\n`,
      "useImportType",
    ],
    ["any", `${sound}export const three: any = 3;\n`, "noExplicitAny"],
    ["console", `${sound}console.log(3);\n`, "noConsole"],
    ["a default export", `${sound}export default 3;\n`, "noDefaultExport"],
    ["a built-in without node:", `import "fs";\n\n${sound}`, "useNodejsImportProtocol"],
    [
      "a non-null assertion",
      `${sound}export const three: number = [3][0]!;\n`,
      "noNonNullAssertion",
    ],
  ])("is red on %s", (_fault, text, rule) => {
    using folder = plant({ [source]: text });
    const result = runTool("biome", args, { cwd: folder.path });
    expect(result.code).not.toBe(0);
    expect(result.output).toContain(rule);
  });

  it("is red on a file name that is not kebab-case", () => {
    using folder = plant({ "packages/sound/src/badName.ts": "export const three = 3;\n" });
    const result = runTool("biome", args, { cwd: folder.path });
    expect(result.code).not.toBe(0);
    expect(result.output).toContain("useFilenamingConvention");
  });
});

describe("tsc", () => {
  const check = (folder: TemporaryFolder, project = "tsconfig.json") =>
    runTool("tsc", ["-p", `packages/sound/${project}`], { cwd: folder.path });

  it("passes the sound package, also without the types of Node.js", () => {
    using folder = plant({});
    expect(check(folder).output.trim()).toBe("");
    expect(check(folder, "tsconfig.core.json").output.trim()).toBe("");
  });

  it("is red on every kind of type error", () => {
    const faults = [
      ["type", 'export const three: number = "3";', "TS2322"],
      ["index", "export const three: number = [3][0];", "TS2322"],
      ["enum", "export enum Three {\n  Three = 3,\n}", "TS1294"],
      ["optional", "export const three: { a?: 3 } = { a: undefined };", "TS2375"],
      ["unused", "export function three(): void {\n  const four = 4;\n}", "TS6133"],
    ] as const;
    using folder = plant({});
    for (const [name, text] of faults) {
      folder.write({ [`packages/sound/src/${name}.ts`]: `${text}\n` });
    }
    const { code, output } = check(folder);
    expect(code).not.toBe(0);
    for (const [name, , error] of faults) {
      expect(output).toMatch(new RegExp(`src/${name}\\.ts.*${error}`));
    }
  });

  it("is red on an export without its type", () => {
    using folder = plant({
      [source]: `${sound}export const three = [2].map((each) => each + 1);\n`,
    });
    expect(check(folder).output).toContain("TS9010");
  });

  it("is red on a name of Node.js in a core", () => {
    using folder = plant({
      [source]: `${sound}export const platform: string = process.platform;\n`,
    });
    expect(check(folder).code).toBe(0);
    expect(check(folder, "tsconfig.core.json").output).toContain("process");
  });
});

describe("knip", () => {
  it("passes the sound package", () => {
    using folder = plant({});
    const result = runTool("knip", [], { cwd: folder.path });
    expect(result.code, result.output).toBe(0);
  });

  it("is red on an unused file, an unused export and an unused dependency", () => {
    using folder = plant({
      "packages/sound/src/unused.ts": "export const unused = 1;\n",
      "packages/sound/src/two.ts": "export const two = 2;\nexport const forgotten = 3;\n",
      "packages/sound/package.json": {
        name: "@box/sound",
        version: "1.0.0",
        type: "module",
        exports: { ".": "./src/index.ts" },
        dependencies: { vitest: "*" },
      },
    });
    const { code, output } = runTool("knip", [], { cwd: folder.path });
    expect(code).not.toBe(0);
    expect(output).toContain("packages/sound/src/unused.ts");
    expect(output).toMatch(/forgotten +packages\/sound\/src\/two\.ts/);
    expect(output).toMatch(/vitest +packages\/sound\/package\.json/);
  });
});

describe("typedoc", () => {
  const check = (folder: TemporaryFolder) =>
    runTool("typedoc", ["--emit", "none"], { cwd: folder.path });

  it("passes the sound package", () => {
    using folder = plant({});
    const { code, output } = check(folder);
    expect(code, output).toBe(0);
  });

  it("is red on an export without a comment and on a link to nothing", () => {
    using folder = plant({
      "packages/sound/src/two.ts": "export const two: number = 2;\n",
      [source]: `${sound}/** See {@link Nowhere}. */\nexport interface Three {\n  readonly four: number;\n}\n`,
    });
    const { code, output } = check(folder);
    expect(code).not.toBe(0);
    expect(output).toMatch(/two.*does not have any documentation/);
    expect(output).toMatch(/Three\.four.*has no comment/);
    expect(output).toContain("Nowhere");
  });
});

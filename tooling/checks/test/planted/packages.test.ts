import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readManifests, root, runTool, TemporaryFolder } from "../workspace.ts";

const scripts = readManifests("packages").get("packages/errors")?.scripts ?? {};
const manifest = {
  name: "@box/planted",
  version: "1.0.0",
  type: "module",
  license: "Apache-2.0",
  files: ["dist"],
  types: "./dist/index.d.ts",
  exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } },
  devDependencies: { "@size-limit/file": "*", "size-limit": "*" },
  "size-limit": [{ path: "dist/{index,chunk-*}.js", limit: "1 kB" }],
};

/** Runs a package's own script on a package with the given faults. */
function runScript(script: string, faults: Readonly<Record<string, string | object>>) {
  using folder = new TemporaryFolder();
  symlinkSync(join(root, "node_modules"), join(folder.path, "node_modules"));
  folder.write({
    "package.json": manifest,
    "dist/index.js": "export const two = 2;\n",
    "dist/index.d.ts": "export declare const two: number;\n",
    ...faults,
  });
  return runTool("sh", ["-c", scripts[script] ?? "exit 99"], { cwd: folder.path });
}

describe("package-lint", () => {
  it("passes a sound package", () => {
    const { code, output } = runScript("package-lint", {});
    expect(code, output).toBe(0);
  });

  it("is red when an entry is not packed (publint)", () => {
    const { code, output } = runScript("package-lint", {
      "package.json": { ...manifest, exports: { ".": "./dist/nowhere.js" } },
    });
    expect(code).not.toBe(0);
    expect(output).toMatch(/nowhere\.js/);
  });

  it("is red when the types of an entry do not resolve (are the types wrong)", () => {
    const { code, output } = runScript("package-lint", {
      "package.json": {
        ...manifest,
        exports: { ...manifest.exports, "./node": "./dist/node.js" },
      },
      "dist/node.js": "export const three = 3;\n",
    });
    expect(code).not.toBe(0);
    expect(output).toMatch(/UntypedResolution|Untyped resolution|No types/i);
  });
});

describe("size", () => {
  it("passes a package within its budget", () => {
    const { code, output } = runScript("size", {});
    expect(code, output).toBe(0);
  });

  const noise = Array.from({ length: 4000 }, (_, index) => `${(index * 7919) % 10_007}`).join("");

  it("is red when a package is over its budget", () => {
    const { code, output } = runScript("size", {
      "dist/index.js": `export const two = "${noise}";\n`,
    });
    expect(code).not.toBe(0);
    expect(output).toMatch(/exceeded/i);
  });

  it("is red when a chunk makes a package too large", () => {
    const { code, output } = runScript("size", {
      "dist/index.js": 'export { two } from "./chunk-ABCDEFGH.js";\n',
      "dist/chunk-ABCDEFGH.js": `export const two = "${noise}";\n`,
    });
    expect(code).not.toBe(0);
    expect(output).toMatch(/exceeded/i);
  });
});

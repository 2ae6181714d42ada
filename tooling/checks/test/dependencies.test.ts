import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readManifests, root } from "./workspace.ts";

const workspace = readFileSync(join(root, "pnpm-workspace.yaml"), "utf8");

/** Under `allowBuilds` in pnpm-workspace.yaml. */
function readAllowBuilds(): Map<string, string> {
  const block = /^allowBuilds:\n((?: {2}.*\n?)+)/m.exec(workspace)?.[1] ?? "";
  const lines = [...block.matchAll(/^ {2}"?([^":]+)"?: (\w+)$/gm)];
  return new Map(lines.map(([, name = "", value = ""]) => [name, value]));
}

describe("dependencies", () => {
  it("none is allowed to run an install script", () => {
    expect([...readAllowBuilds().values()].filter((value) => value !== "false")).toEqual([]);
  });

  it("none has an install script but those that are listed as not run", () => {
    const allowed = readAllowBuilds();
    const manifests = globSync(
      [
        "node_modules/.pnpm/*/node_modules/*/package.json",
        "node_modules/.pnpm/*/node_modules/@*/*/package.json",
      ],
      { cwd: root },
    );
    expect(manifests.length).toBeGreaterThan(100);
    const builders = new Set<string>();
    for (const path of manifests) {
      const { name, scripts = {} } = JSON.parse(readFileSync(join(root, path), "utf8"));
      const isBuilder = ["preinstall", "install", "postinstall"].some((hook) => hook in scripts);
      if (isBuilder) builders.add(name);
    }
    expect([...builders].filter((name) => !allowed.has(name))).toEqual([]);
  });

  it("the lockfile comes from one registry and names no git, file or tarball address", () => {
    const lockfile = readFileSync(join(root, "pnpm-lock.yaml"), "utf8");
    expect(lockfile).not.toMatch(/tarball:|repo:|git\+|codeload|(?<!link|version): file:/);
  });

  it("every shared version stands in the catalog, and every workspace is named by range", () => {
    for (const [path, { dependencies = {}, devDependencies = {} }] of readManifests()) {
      for (const [name, range] of Object.entries({ ...dependencies, ...devDependencies })) {
        const wanted = name.startsWith("@box/") ? /^workspace:[\^*]$/ : /^catalog:$/;
        expect(range, `${path}: ${name}`).toMatch(wanted);
      }
      for (const [name, range] of Object.entries(dependencies)) {
        if (name.startsWith("@box/")) expect(range, `${path}: ${name}`).toBe("workspace:^");
      }
    }
  });
});

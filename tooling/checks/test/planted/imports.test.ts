import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readManifests, root, runTool, scope, TemporaryFolder } from "../workspace.ts";

interface Violation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string };
}

/** Each planted file: what it imports, and the rule that must refuse it. */
const planted: readonly (readonly [file: string, imports: string, rule: string])[] = [
  ["packages/errors/src/upward.ts", "@box/io", "errors-imports-only-lower-layers"],
  ["packages/qcow2/src/upward.ts", "@box/rootfs", "qcow2-imports-only-lower-layers"],
  ["packages/qcow2/src/sibling.ts", "@box/ext4", "qcow2-imports-only-lower-layers"],
  ["packages/oras/test/sibling.test.ts", "@box/guest", "oras-imports-only-lower-layers"],
  ["packages/rootfs/src/deep.ts", "../../qcow2/src/internal/inner.ts", "no-deep-imports"],
  ["packages/rootfs/src/deep-dist.ts", "../../qcow2/src/deep.ts", "no-deep-imports"],
  ["apps/cli/src/deep.ts", "../../server/src/inner.ts", "no-deep-imports"],
  ["packages/oras/src/dev.ts", "fast-check", "src-never-imports-dev-dependencies"],
  ["packages/qcow2/src/third-party.ts", "fast-check", "qcow2-imports-only-its-own-dependencies"],
  [
    "packages/oci-images/src/third-party.ts",
    "undici",
    "oci-images-imports-only-its-own-dependencies",
  ],
  ["packages/runtime/src/undeclared.ts", "undici", "src-never-imports-undeclared-packages"],
  [
    "packages/rootfs/src/undeclared.ts",
    "@box/oras",
    "rootfs-imports-only-its-workspace-dependencies",
  ],
  ["packages/qcow2/src/built-in.ts", "node:fs", "cores-import-no-node-modules"],
  ["packages/qcow2/src/built-in-bare.ts", "fs", "cores-import-no-node-modules"],
  ["packages/qcow2/src/type-only.ts", "node:stream", "cores-import-no-node-modules"],
  ["packages/io/src/node-entry.ts", "./node/index.ts", "cores-import-no-node-entries"],
  ["packages/tar/src/io-node.ts", "@box/io/node", "cores-import-no-node-entries"],
  ["packages/pipeline/src/disk.ts", "@box/io", "pipeline-touches-no-disk"],
  ["packages/pipeline/src/file-system.ts", "node:fs/promises", "pipeline-touches-no-disk"],
  ["packages/qcow2/src/node/network.ts", "node:https", "qcow2-talks-to-no-network"],
  ["packages/runtime/src/app.ts", "@box/server", "packages-never-import-apps"],
  ["apps/web/src/app.ts", "@box/server", "only-the-cli-imports-the-server"],
  ["apps/server/src/cli.ts", "../../cli/src/main.ts", "only-the-cli-imports-the-server"],
  ["apps/cli/src/web.ts", "../../web/src/app.ts", "the-cli-imports-no-other-app"],
  [
    "packages/rootfs/src/dev.ts",
    "fast-check",
    "src-of-layer-3-and-above-never-imports-dev-dependencies",
  ],
  ["packages/newcomer/src/index.ts", "@box/errors", "every-package-has-a-layer"],
  ["packages/ext4/test/script.ts", "../../../tooling/scripts/a.mjs", "only-checks-import-scripts"],
  ["packages/ext4/src/missing.ts", "./nowhere.ts", "not-to-unresolvable"],
  ["packages/ext4/src/tests.ts", "../test/made.ts", "src-imports-no-tests"],
];

describe("import rules", () => {
  const folder = new TemporaryFolder();
  let violations: readonly Violation[] = [];

  beforeAll(() => {
    plantCleanTree(folder);
    const clean = cruise(folder);
    expect(clean, "the tree without faults").toEqual([]);
    expect(runTool("depcruise", ["packages", "apps"], { cwd: folder.path }).code).toBe(0);
    folder.write({
      "packages/qcow2/src/internal/inner.ts": "export const inner = 1;\n",
      "packages/qcow2/src/deep.ts": "export const deep = 1;\n",
      "packages/ext4/test/made.ts": "export const made = 1;\n",
      "apps/server/src/inner.ts": "export const inner = 1;\n",
      "tooling/scripts/a.mjs": "export const script = 1;\n",
      "apps/cli/src/main.ts": "export const main = 1;\n",
      "packages/tar/src/cycle-a.ts": 'export { b } from "./cycle-b.ts";\nexport const a = 1;\n',
      "packages/tar/src/cycle-b.ts": 'import { a } from "./cycle-a.ts";\nexport const b = a;\n',
      "packages/tar/src/orphan.ts": "export const orphan = 1;\n",
      "packages/newcomer/package.json": { name: "@box/newcomer", version: "1.0.0" },
      "apps/web/package.json": { name: "@box/web", version: "1.0.0" },
    });
    for (const [file, imports] of planted) {
      if (imports.startsWith("@box/")) link(folder, file.split("/").slice(0, 2).join("/"), imports);
      const isTypeOnly = file.endsWith("type-only.ts");
      folder.write({
        [file]: `import ${isTypeOnly ? "type " : ""}* as faulty from "${imports}";\nexport type Faulty = typeof faulty;\n${isTypeOnly ? "" : "export const value: unknown = faulty;\n"}`,
      });
    }
    violations = cruise(folder);
  });
  afterAll(() => folder[Symbol.dispose]());

  it.each(planted)("%s importing %s is refused by %s", (file, _imports, rule) => {
    expect(
      violations.filter(({ from }) => from === file).map((found) => found.rule.name),
    ).toContain(rule);
  });

  it("makes the command that `npm test` runs fail", () => {
    expect(runTool("depcruise", ["packages", "apps"], { cwd: folder.path }).code).not.toBe(0);
  });

  it("every rule has a planted fault, those that stand for each package in one of them", async () => {
    const { default: config } = await import(join(root, ".dependency-cruiser.mjs"));
    const seen = new Set(violations.map(({ rule }) => kindOfRule(rule.name)));
    const rules: string[] = config.forbidden.map(({ name }: { readonly name: string }) =>
      kindOfRule(name),
    );
    expect(rules.length).toBeGreaterThan(0);
    expect(rules.filter((rule) => !seen.has(rule))).toEqual([]);
  });

  it("a cycle is refused", () => {
    expect(violations.map(({ from, rule }) => `${from} ${rule.name}`)).toContain(
      "packages/tar/src/cycle-a.ts no-circular",
    );
  });

  it("a source that nothing imports and that imports nothing is refused", () => {
    expect(violations.map(({ from, rule }) => `${from} ${rule.name}`)).toContain(
      "packages/tar/src/orphan.ts no-orphans",
    );
  });
});

/** Every package with its real manifest, an empty source for each entry, and its dependencies linked as pnpm does. */
function plantCleanTree(folder: TemporaryFolder): void {
  folder.copy(".dependency-cruiser.mjs", "tsconfig.json", "vitest.config.ts", "tooling/tsconfig");
  const manifests = readManifests("{packages,apps}");
  for (const [path, manifest] of manifests) {
    folder.copy(`${path}/package.json`);
    for (const target of Object.values(manifest.exports ?? {})) {
      const source = typeof target === "string" ? undefined : target["@box/source"];
      if (source !== undefined) folder.write({ [join(path, source)]: "export const entry = 1;\n" });
    }
    const names = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
    for (const name of names) if (name.startsWith("@box/")) link(folder, path, name);
  }
  for (const name of ["undici", "zod", "fast-check"]) {
    folder.write({
      [`node_modules/${name}/package.json`]: { name, version: "1.0.0", main: "index.js" },
      [`node_modules/${name}/index.js`]: "export {};\n",
    });
  }
}

/** The rule's name without its package where the configuration makes one rule for each package. */
function kindOfRule(name: string): string {
  return name.replace(
    /^.+-(?=imports-only-(lower-layers|its-own-dependencies|its-workspace-dependencies)$)/,
    "",
  );
}

/** Links a workspace package, named by its entry, where another one finds it. */
function link(folder: TemporaryFolder, from: string, entry: string): void {
  const name = entry.split("/")[1] ?? "";
  const to = existsSync(join(folder.path, "apps", name)) ? "apps" : "packages";
  const path = join(folder.path, from, "node_modules", scope, name);
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(join(folder.path, to, name), path);
}

function cruise(folder: TemporaryFolder): readonly Violation[] {
  const result = runTool("depcruise", ["--output-type", "json", "packages", "apps"], {
    cwd: folder.path,
  });
  expect(result.stdout, result.stderr).not.toBe("");
  const report = JSON.parse(result.stdout);
  return report.summary.violations;
}

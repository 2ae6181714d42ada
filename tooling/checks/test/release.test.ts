import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readManifests, root, runTool, TemporaryFolder } from "./workspace.ts";

/**
 * What `changeset version` releases for one change, by name: tried in a repository of its own that has every
 * manifest of this one.
 */
function release(name: string, bump: "patch" | "minor" | "major"): Record<string, string> {
  using folder = new TemporaryFolder();
  const manifests = readManifests();
  folder.copy("package.json", "pnpm-workspace.yaml", ".changeset/config.json");
  for (const path of manifests.keys()) folder.copy(`${path}/package.json`);
  const git = (...args: readonly string[]) => {
    const identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"];
    const result = runTool("git", [...identity, ...args], { cwd: folder.path });
    expect(result.code, result.output).toBe(0);
  };
  git("init", "--quiet", "--initial-branch=main");
  git("add", "--all");
  git("commit", "--quiet", "--message=start");
  folder.write({ ".changeset/one.md": `---\n"${name}": ${bump}\n---\n\nA change.\n` });
  const { code, output } = runTool("changeset", ["version"], { cwd: folder.path });
  expect(code, output).toBe(0);

  const released: Record<string, string> = {};
  for (const [path, before] of manifests) {
    const { version } = JSON.parse(folder.read(`${path}/package.json`));
    if (version !== before.version) released[before.name] = `${before.version} -> ${version}`;
  }
  return released;
}

function next(name: string, part: 0 | 1 | 2): string {
  const manifest = [...readManifests().values()].find((each) => each.name === name);
  const version = manifest?.version ?? "";
  const parts = version.split(".").map(Number);
  const raised = parts.map((each, at) => (at < part ? each : at === part ? each + 1 : 0));
  return `${version} -> ${raised.join(".")}`;
}

describe("releases", () => {
  it("a changeset for @box/qcow2 alone releases only it", () => {
    expect(release("@box/qcow2", "minor")).toEqual({ "@box/qcow2": next("@box/qcow2", 1) });
  });

  it("a minor of @box/errors releases nothing else", () => {
    expect(release("@box/errors", "minor")).toEqual({ "@box/errors": next("@box/errors", 1) });
  });

  it("a patch of @box/io releases nothing else", () => {
    expect(release("@box/io", "patch")).toEqual({ "@box/io": next("@box/io", 2) });
  });

  it("a major of @box/errors releases those that depend on it, and not those that bundle it", () => {
    const released = Object.keys(release("@box/errors", "major"));
    const dependents = [...readManifests("packages").values()]
      .filter((manifest) => manifest.dependencies?.["@box/errors"] !== undefined)
      .map((manifest) => manifest.name);
    expect(released).toEqual(expect.arrayContaining(["@box/errors", ...dependents]));
    expect(released).not.toContain("@box/qcow2");
  });

  it("nothing is fixed or linked to another's version, and every package starts at 1.0.0 or later", () => {
    const config = JSON.parse(readFileSync(join(root, ".changeset/config.json"), "utf8"));
    expect(config).toMatchObject({ fixed: [], linked: [] });
    for (const { name, version } of readManifests("packages").values()) {
      expect(version, name).toMatch(/^[1-9]/);
    }
  });
});

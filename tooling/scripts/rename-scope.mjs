#!/usr/bin/env node
// Publishes under another scope: rewrites `@box/` to `@yours/` in every tracked text file of this tree.
// Run it in a throw-away clone after `pnpm install`, then install again, test and publish from there.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const scope = process.argv[2];
if (!/^@[a-z0-9][a-z0-9._-]*$/.test(scope ?? "")) {
  console.error("usage: pnpm rename-scope @yours");
  process.exit(2);
}
const files = execFileSync("git", ["ls-files", "-z"], { encoding: "utf8" }).split("\0");
let changed = 0;
for (const file of files.filter((name) => /\.(ts|tsx|mjs|json|jsonc|yaml|md)$/.test(name))) {
  const text = readFileSync(file, "utf8");
  const renamed = text.replaceAll("@box/", `${scope}/`);
  if (renamed === text) continue;
  writeFileSync(file, renamed);
  changed++;
}
// Another scope sorts imports and breaks lines elsewhere.
const biome = join(import.meta.dirname, "../../node_modules/.bin/biome");
execFileSync(biome, ["check", "--write", "--error-on-warnings", "."], { stdio: "inherit" });
console.log(
  `renamed @box to ${scope} in ${changed} files; now: pnpm install && npm test && pnpm release`,
);

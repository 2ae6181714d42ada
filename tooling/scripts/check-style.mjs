#!/usr/bin/env node
import { spawnSync } from "node:child_process";
// What the style guide asks for and no linter knows: short files, names that say something, no loose ends.
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { findStyleFaults } from "./style-rules.mjs";

const root = process.argv[2] ?? join(import.meta.dirname, "../..");
const listing = spawnSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
  maxBuffer: 64 * 1024 * 1024,
});
if (listing.status !== 0) throw new Error(`git cannot list the files: ${listing.stderr}`);

const faults = listing.stdout
  .split("\0")
  .filter((path) => path !== "")
  .flatMap((path) => findStyleFaults(path, () => readText(path)));
for (const fault of faults) console.error(fault);
if (faults.length > 0) console.error(`${faults.length} style faults in ${basename(root)}`);
process.exitCode = faults.length > 0 ? 1 : 0;

/** @param {string} path */
function readText(path) {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch (error) {
    // Listed by git but removed since.
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "ENOENT") return "";
    throw error;
  }
}

#!/usr/bin/env node
// Keeps the table of error codes in each package's README in step with its src/errors.ts.
// --check (the default) says what differs; --write mends it.
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { readErrorCodes, withErrorTable } from "./error-table-text.mjs";

const isWriting = process.argv.includes("--write");
const root = join(import.meta.dirname, "../..");
let stale = 0;
for (const path of globSync("packages/*/src/errors.ts", { cwd: root }).sort()) {
  const folder = dirname(dirname(path));
  const codes = readErrorCodes(readFileSync(join(root, path), "utf8"), path);
  if (codes.length === 0) continue;
  const readme = join(folder, "README.md");
  const text = readFileSync(join(root, readme), "utf8");
  const wanted = withErrorTable(text, codes);
  if (wanted === text) continue;
  if (isWriting) writeFileSync(join(root, readme), wanted);
  else {
    stale += 1;
    console.error(`${readme}: the table of errors is not that of ${path}`);
  }
}
if (stale > 0) console.error("mend it with: pnpm error-tables --write");
process.exitCode = stale > 0 ? 1 : 0;

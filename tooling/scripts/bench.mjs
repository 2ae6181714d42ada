#!/usr/bin/env node
// `pnpm bench PACKAGE [WORD...] [--option N]`: runs the benches of a package one after another, each in a process of its own.
// A word picks the benches whose name holds it; options go to the benches.
import { globSync, readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { basename, join } from "node:path";
import { exitLike, run } from "./toolchain/run.mjs";

const root = join(import.meta.dirname, "../..");
const [name = "", ...rest] = process.argv.slice(2);
const firstOption = rest.findIndex((argument) => argument.startsWith("-"));
const words = firstOption < 0 ? rest : rest.slice(0, firstOption);
const options = firstOption < 0 ? [] : rest.slice(firstOption);

const all = globSync("{apps,packages}/*/bench/*.bench.ts", { cwd: root }).sort();
const benches = all.filter((path) => {
  const folder = path.split("/")[1] ?? "";
  const isOfPackage = folder === name || folder.startsWith(`${name}-`);
  return isOfPackage && (words.length === 0 || words.some((word) => basename(path).includes(word)));
});

if (name === "" || benches.length === 0) {
  const names = new Set(all.map((path) => path.split("/")[1]));
  console.error(`usage: pnpm bench ${[...names].join("|")} [WORD...] [--option VALUE]`);
  console.error(`  benches: ${all.map((path) => basename(path, ".bench.ts")).join(", ")}`);
  process.exit(2);
}

console.log(`machine: ${describeMachine()}`);
for (const path of benches) {
  console.log(`\n## ${path}`);
  const args = ["--conditions=@box/source", path, ...options];
  const outcome = await run(process.execPath, args, { cwd: root, stdio: "inherit" });
  if (outcome.code !== 0) exitLike(outcome);
  if (outcome.signal !== undefined) break;
}

/** What the figures depend on. A busy machine shows in its load. */
function describeMachine() {
  const [cpu] = cpus();
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  const load = readFileSync("/proc/loadavg", "utf8").split(" ")[0];
  return `${cpus().length} cores (${cpu?.model.trim()}), ${memory}, load ${load}, ${process.platform}-${process.arch}, Node.js ${process.version}`;
}

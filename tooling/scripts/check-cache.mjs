#!/usr/bin/env node
// Proves that tests are cached: runs `pnpm turbo run test` twice and fails unless the second run repeats nothing.
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { run } from "./toolchain/run.mjs";

const root = join(import.meta.dirname, "../..");
const summaries = join(root, ".turbo", "runs");

const first = await runTests();
if (first.exitCode !== 0) console.error("the tests are red: nothing to say about the cache");
const second = first.exitCode === 0 ? await runTests() : undefined;
const isCached = second !== undefined && second.cached === second.attempted && second.attempted > 0;
if (second !== undefined) {
  console.log(`second run: ${second.cached} of ${second.attempted} tasks from the cache`);
  for (const task of second.repeated) console.log(`repeated: ${task}`);
}
process.exitCode = isCached ? 0 : 1;

/** @returns {Promise<{exitCode: number, cached: number, attempted: number, repeated: string[]}>} */
async function runTests() {
  rmSync(summaries, { recursive: true, force: true });
  mkdirSync(summaries, { recursive: true });
  const args = ["turbo", "run", "test", "--summarize", "--output-logs=errors-only"];
  await run("pnpm", args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  const [file] = readdirSync(summaries);
  if (file === undefined) throw new Error("turbo left no summary of its run");
  const { execution, tasks } = JSON.parse(readFileSync(join(summaries, file), "utf8"));
  /** @type {{taskId: string, cache: {status: string}}[]} */
  const missed = tasks.filter((/** @type {{cache: {status: string}}} */ task) => {
    return task.cache.status !== "HIT";
  });
  return { ...execution, repeated: missed.map(({ taskId }) => taskId) };
}

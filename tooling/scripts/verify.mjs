#!/usr/bin/env node
// `npm test`: every check and every test, all of them even when one fails. Always ends with one line alone,
// `N passed, N failed, N skipped`: the tests of all workspaces, and one failure more for each check that is red.
import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { installCommand, missingOracles } from "./oracles.mjs";
import { conclude, sumReports } from "./test-reports.mjs";
import { run } from "./toolchain/run.mjs";

const root = join(import.meta.dirname, "../..");
const folders = ["packages", "apps", "tooling", "examples"].filter((name) =>
  existsSync(join(root, name)),
);

/** In CI a test that was not run is a failure: there every oracle is installed. */
const refuseSkips = !["", "0", "false"].includes(process.env["CI"] ?? "");

/** Checks of the whole repository, before turbo: tsup writes temporary files next to the sources while it builds. */
const checks = [
  ["format and lint", "biome", "check", "--error-on-warnings", "."],
  ["layers", "depcruise", ...folders],
  ["dead code", "knip", "--no-config-hints"],
  ["style", "node", "tooling/scripts/check-style.mjs"],
  ["error tables", "node", "tooling/scripts/error-tables.mjs", "--check"],
  ["types of the configuration", "tsc", "-p", "."],
  ["types of the scripts", "tsc", "-p", "tooling/scripts"],
];

/** @type {string[]} What is red besides tests. */
const failures = [];
/** @type {NodeJS.Signals | undefined} */
let interrupted;
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.on(signal, () => {
    interrupted = signal;
  });
}

/** @type {string[]} */
let tested = [];
try {
  await command("node", ["tooling/scripts/install-oracles.mjs"]);
  await command("node", ["tooling/test-support/src/make-debian-image.ts"]);
  await command("node", ["tooling/scripts/machine-stamp.mjs"]);
  for (const [name = "", program = "", ...args] of checks) await check(name, program, args);
  if (interrupted === undefined) tested = await runTasks();
  await check("documentation of the API", "typedoc", ["--emit", "none", "--logLevel", "Warn"]);
} catch (error) {
  console.error(error);
  failures.push("verify itself");
}
finish();

/**
 * @param {string} name
 * @param {string} program
 * @param {readonly string[]} args
 */
async function check(name, program, args) {
  if (interrupted !== undefined) return;
  const start = Date.now();
  const code = await command(program, args);
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)`);
  if (code !== 0) failures.push(name);
}

/**
 * @param {string} program
 * @param {readonly string[]} args
 * @returns {Promise<number>}
 */
async function command(program, args) {
  if (interrupted !== undefined) return 1;
  const stdio = /** @type {const} */ (["ignore", "inherit", "inherit"]);
  return (await run(program, args, { cwd: root, stdio: [...stdio] })).code;
}

/**
 * Types, builds, tests and package checks of every workspace.
 *
 * Reports of an earlier run are removed first; turbo brings back those of the runs that it does not repeat.
 *
 * @returns {Promise<string[]>} The workspaces whose tests were to run.
 */
async function runTasks() {
  for (const folder of globSync("{packages,apps,tooling,examples}/*/.results", { cwd: root })) {
    rmSync(join(root, folder), { recursive: true, force: true });
  }
  const summaries = join(root, ".turbo", "runs");
  rmSync(summaries, { recursive: true, force: true });
  mkdirSync(summaries, { recursive: true });
  const names = ["typecheck", "build", "test", "package-lint", "size"];
  const options = [
    "--continue=dependencies-successful",
    "--summarize",
    "--output-logs=errors-only",
  ];
  const start = Date.now();
  const code = await command("turbo", ["run", ...names, ...options]);
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok  " : "FAIL"} ${names.join(", ")} (${seconds} s)`);

  const tests = workspaces().filter(({ hasTests }) => hasTests);
  const failedTasks = readFailedTasks(summaries);
  for (const task of failedTasks) {
    // Failed tests are counted one by one; what else makes a test task red (coverage, a crash) is one failure.
    const folder = task.task === "test" ? task.directory : undefined;
    if (folder === undefined || sumReports(root, [folder]).failed.length === 0) {
      failures.push(task.taskId);
    }
  }
  if (code !== 0 && failedTasks.length === 0) failures.push("turbo");
  return tests.map(({ folder }) => folder);
}

/** @returns {{folder: string, hasTests: boolean}[]} */
function workspaces() {
  return globSync("{packages,apps,tooling,examples}/*/package.json", { cwd: root })
    .sort()
    .map((path) => {
      const { scripts = {} } = JSON.parse(readFileSync(join(root, path), "utf8"));
      return { folder: dirname(path), hasTests: scripts.test !== undefined };
    });
}

/**
 * @param {string} summaries - The folder of turbo's summary of the run.
 * @returns {{taskId: string, task: string, directory: string}[]}
 */
function readFailedTasks(summaries) {
  const [file] = readdirSync(summaries);
  if (file === undefined) return [];
  const { tasks } = JSON.parse(readFileSync(join(summaries, file), "utf8"));
  return tasks.filter(
    (/** @type {{execution?: {exitCode?: number}}} */ task) =>
      task.execution?.exitCode !== undefined && task.execution.exitCode !== 0,
  );
}

/** Says what is red or was left out, and closes with the sum. */
function finish() {
  if (interrupted !== undefined) failures.push(`interrupted by ${interrupted}`);
  const sum = sumReports(root, tested);
  sum.failed.push(...failures);
  for (const name of sum.failed) console.log(`failed: ${name}`);
  if (refuseSkips) for (const name of sum.skipped) console.log(`failed: skipped in CI: ${name}`);
  else explainSkips(sum.skipped);
  const { line, code } = conclude(sum, { refuseSkips });
  console.log(line);
  process.exitCode = code;
}

/** @param {readonly string[]} skipped */
function explainSkips(skipped) {
  if (skipped.length === 0) return;
  for (const name of skipped) console.log(`skipped: ${name}`);
  const missing = missingOracles();
  if (missing.length === 0) return;
  const oracles = skipped.filter((name) => name.includes(".oracle.test."));
  console.log(`${oracles.length} oracle tests were skipped; missing: ${missing.join(", ")}`);
  console.log(`  on Debian or Ubuntu: ${installCommand(missing)}`);
}

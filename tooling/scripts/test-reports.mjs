// Adds up what vitest reported in every workspace, so that no test and no failure gets lost on the way to the last line.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * @typedef {object} Assertion
 * @property {string} fullName
 * @property {string} status - `passed`, `failed`, or how it was not run: `pending`, `skipped`, `todo`, `disabled`.
 *
 * @typedef {object} Report
 * @property {{name: string, status: string, message?: string, assertionResults: Assertion[]}[]} testResults
 *
 * @typedef {object} Sum
 * @property {number} passed
 * @property {string[]} failed - What failed, by name.
 * @property {string[]} skipped - What was not run, by name.
 */

/** Where every workspace's tests leave their report. */
export const reportFile = ".results/vitest.json";

/**
 * Adds up one report. A file that failed without a failed test, because it could not even be loaded, is a failure.
 *
 * @param {Report} report
 * @param {string} folder - The workspace: names begin there, wherever the checkout was whose run turbo has cached.
 * @returns {Sum}
 */
export function sumReport(report, folder) {
  /** @type {Sum} */
  const sum = { passed: 0, failed: [], skipped: [] };
  for (const file of report.testResults) {
    const path = file.name.slice(Math.max(0, file.name.lastIndexOf(`/${folder}/`) + 1));
    const failedBefore = sum.failed.length;
    for (const { fullName, status } of file.assertionResults) {
      const name = `${path}: ${fullName}`;
      if (status === "passed") sum.passed += 1;
      else if (status === "failed") sum.failed.push(name);
      else sum.skipped.push(name);
    }
    const isFailed = file.status === "failed" && sum.failed.length === failedBefore;
    if (isFailed || file.assertionResults.length === 0) sum.failed.push(`${path}: did not run`);
  }
  return sum;
}

/**
 * Adds up the reports of the named workspaces. A missing or unreadable report is a failure.
 *
 * @param {string} root
 * @param {readonly string[]} folders - Of the workspaces whose tests were to run, relative to the root.
 * @returns {Sum}
 */
export function sumReports(root, folders) {
  /** @type {Sum} */
  const total = { passed: 0, failed: [], skipped: [] };
  for (const folder of folders) {
    const path = join(root, folder, reportFile);
    const sum = existsSync(path) ? readReport(path, folder) : undefined;
    if (sum === undefined) total.failed.push(`${folder}: its tests left no report`);
    else {
      total.passed += sum.passed;
      total.failed.push(...sum.failed);
      total.skipped.push(...sum.skipped);
    }
  }
  return total;
}

/**
 * @param {string} path
 * @param {string} folder
 * @returns {Sum | undefined}
 */
function readReport(path, folder) {
  try {
    return sumReport(JSON.parse(readFileSync(path, "utf8")), folder);
  } catch {
    return undefined;
  }
}

/**
 * The closing line and the exit code. Nothing passed is never green; where skips are refused, each counts as failed.
 *
 * @param {Sum} sum
 * @param {{refuseSkips: boolean}} options
 * @returns {{line: string, code: 0 | 1}}
 */
export function conclude(sum, { refuseSkips }) {
  const refused = refuseSkips ? sum.skipped.length : 0;
  const failed = Math.max(sum.failed.length + refused, sum.passed === 0 ? 1 : 0);
  const skipped = sum.skipped.length - refused;
  return {
    line: `${sum.passed} passed, ${failed} failed, ${skipped} skipped`,
    code: failed > 0 ? 1 : 0,
  };
}

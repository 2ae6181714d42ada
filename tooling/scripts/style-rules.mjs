// The rules behind check-style.mjs, on one file's path and text.

/** A source file over this many lines is split by structure. */
const longestFileLines = 400;

const source = /\.(ts|tsx|mts|mjs|js|c|h)$/;
const catchAll = /^(utils?|helpers?|common|misc|shared-stuff|types)(\.|$)/;

/** What library code is given, not what it takes: the environment, the working folder, the terminal. */
const ambient = /\bprocess\.(env|cwd\(|argv|exit\(|std(in|out|err)\b)/;

/** Ways to a network that need no import. */
const networkGlobal = /\b(fetch\(|new (WebSocket|EventSource|XMLHttpRequest|WebTransport)\b)/;

/** A hook of a whole file, in a module that several test files import: it would run after the first of them only. */
const sharedHook = /^(after|before)(All|Each)\(/;

/** Words for work that is put off; one with the number of its issue is fine. */
const looseEnd = /(\/\/|^\s*\/?\*+|^\s*#)\s*(TODO|FIXME|XXX|HACK)\b(?!.*#\d+)/;

/**
 * Finds what the style guide forbids.
 *
 * @param {string} path - Relative to the repository, with slashes.
 * @param {() => string} read - The file's text, read only when a rule needs it.
 * @returns {string[]} One line for each fault: where and what.
 */
export function findStyleFaults(path, read) {
  const faults = [];
  const vague = path.split("/").find((name) => catchAll.test(name) && !name.endsWith(".json"));
  if (vague !== undefined) faults.push(`${path}: "${vague}" says nothing about what is in it`);
  if (!source.test(path)) return faults;

  const lines = read().split("\n");
  if (lines.at(-1) === "") lines.pop();
  if (lines.length > longestFileLines) {
    faults.push(
      `${path}: ${lines.length} lines, more than ${longestFileLines}; split it by structure`,
    );
  }
  lines.forEach((line, index) => {
    for (const fault of faultsOfLine(path, line)) faults.push(`${path}:${index + 1}: ${fault}`);
  });
  return faults;
}

/**
 * @param {string} path
 * @param {string} line
 * @returns {string[]}
 */
function faultsOfLine(path, line) {
  const faults = [];
  if (looseEnd.test(line)) {
    faults.push("put off without the number of an issue");
  }
  if (/\/\/\s*@ts-(ignore|nocheck)/.test(line)) faults.push("a type error that is hidden");
  if (/\/test\/(?!.*\.test\.ts$)/.test(path) && sharedHook.test(line)) {
    faults.push(
      "test files share their modules: call the hook in the test file, or onTestFinished",
    );
  }
  const isComment = /^\s*(\/\/|\/?\*)/.test(line);
  if (isComment || !/^packages\/[^/]+\/src\//.test(path)) return faults;
  if (ambient.test(line)) faults.push("library code takes the environment as options");
  if (/^packages\/(errors|io|qcow2|ext4|tar|pipeline)\//.test(path) && networkGlobal.test(line)) {
    faults.push("this package talks to no network");
  }
  return faults;
}

import { spawn } from "node:child_process";
import { constants } from "node:os";

/**
 * @typedef {object} Outcome
 * @property {number} code - The exit code; 128 and the signal's number when a signal ended it, 127 when it could not start.
 * @property {NodeJS.Signals | undefined} signal
 * @property {string} output - What it wrote to a captured standard output.
 */

/**
 * Runs a program to its end and passes signals on to it.
 *
 * On a terminal Ctrl-C reaches the whole process group, so that the program has it already; a second one from here
 * would look like the user's impatience.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {import("node:child_process").SpawnOptions} options
 * @returns {Promise<Outcome>} Never rejects.
 */
export async function run(program, args, options) {
  const child = spawn(program, args, options);
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  /** @type {NodeJS.Signals[]} */
  const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];
  /** @param {NodeJS.Signals} signal */
  const pass = (signal) => {
    const fromTerminal = (signal === "SIGINT" || signal === "SIGQUIT") && process.stdin.isTTY;
    if (!fromTerminal) child.kill(signal);
  };
  for (const signal of signals) process.on(signal, pass);
  try {
    return await new Promise((resolve) => {
      child.on("error", (error) => {
        process.stderr.write(`box: cannot run ${program}: ${error.message}\n`);
        resolve({ code: 127, signal: undefined, output });
      });
      child.on("close", (code, signal) => {
        const number = signal === null ? 0 : (constants.signals[signal] ?? 0);
        resolve({ code: code ?? 128 + number, signal: signal ?? undefined, output });
      });
    });
  } finally {
    for (const signal of signals) process.off(signal, pass);
  }
}

/**
 * Ends this process the way a program ended: by the same code, or by the same signal.
 *
 * @param {Outcome} outcome
 */
export function exitLike(outcome) {
  if (outcome.signal !== undefined) process.kill(process.pid, outcome.signal);
  process.exitCode = outcome.code;
}

import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Why tests that need a program are skipped, or nothing when it is there. */
export function missing(program: string): string | undefined {
  const { error } = spawnSync(program, ["--version"], { stdio: "ignore" });
  if (error === undefined) return undefined;
  const reason = `skipped: ${program} is not installed`;
  process.stderr.write(`${reason}\n`);
  return reason;
}

/** Runs a program and gives its output; throws when it fails. */
export async function output(program: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run(program, [...args], { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

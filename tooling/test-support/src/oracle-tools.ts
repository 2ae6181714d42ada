import { spawn, spawnSync } from "node:child_process";

/** Whether a program is there; says on the console of the test run when it is not. */
export function hasTool(name: string): boolean {
  const isThere = spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;
  if (!isThere) process.stderr.write(`skipping: ${name} is not installed\n`);
  return isThere;
}

/** Runs a program to its end. */
export async function run(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  child.stderr.on("data", (chunk) => {
    output += chunk;
  });
  const status = await new Promise<number | null>((done) => child.on("close", done));
  if (status !== 0)
    throw new Error(`${program} ${args.join(" ")} exited with ${status}: ${output}`);
  return output;
}

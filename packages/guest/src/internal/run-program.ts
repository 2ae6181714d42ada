import { spawn } from "node:child_process";

/** How a program ended, and what it said. */
export interface ProgramResult {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  /** The end of both its outputs. */
  readonly output: string;
}

/** Runs a program to its end; undefined when there is none of that name. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly signal?: AbortSignal },
): Promise<ProgramResult | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const gather = (chunk: Buffer): void => {
      output = `${output}${chunk.toString()}`.slice(-16_384);
    };
    child.stdout.on("data", gather);
    child.stderr.on("data", gather);
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "EACCES") resolve(undefined);
      else reject(options.signal?.aborted === true ? options.signal.reason : error);
    });
    child.on("close", (exitCode) => resolve({ exitCode, output }));
  });
}

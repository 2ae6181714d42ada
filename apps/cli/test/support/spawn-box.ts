import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** What a child process of box printed. */
export interface SpawnedRun {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a test may choose about the child process. */
export interface SpawnBoxOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** A program and its arguments that run box, such as strace's. */
  readonly under?: readonly string[];
}

/** The words that start box from its sources, by Node's own type stripping. */
export function boxCommand(argv: readonly string[]): string[] {
  return [process.execPath, "--conditions=@box/source", main, ...argv];
}

/** Starts box as a child process, with an environment of its own. */
export function startBox(
  argv: readonly string[],
  { env, cwd, under = [] }: SpawnBoxOptions = {},
): ChildProcessWithoutNullStreams {
  const [program = "", ...words] = [...under, ...boxCommand(argv)];
  const { PATH = "", TMPDIR = "/tmp" } = process.env;
  return spawn(program, words, { cwd, env: { PATH, TMPDIR, HOME: "/nonexistent", ...env } });
}

/** Runs box as a child process to its end. */
export async function spawnBox(
  argv: readonly string[],
  options: SpawnBoxOptions = {},
): Promise<SpawnedRun> {
  const child = startBox(argv, options);
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  return { exitCode, stdout: stdout(), stderr: stderr() };
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}

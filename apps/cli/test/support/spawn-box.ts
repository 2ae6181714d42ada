import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { builtFolder } from "./build-program.ts";

const main = join(builtFolder, "main.js");

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
  /** What it reads from stdin; left open unless given. */
  readonly stdin?: NodeJS.ReadableStream;
  /** A program and its arguments that run box, such as strace's. */
  readonly under?: readonly string[];
}

/** The words that start the built program. */
export function boxCommand(argv: readonly string[]): string[] {
  return [process.execPath, main, ...argv];
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
  options.stdin?.pipe(child.stdin);
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

/** Whether a program that a test needs runs here; says so when it does not. */
export function canRun(program: string, ...argv: readonly string[]): boolean {
  const { status } = spawnSync(program, argv);
  if (status !== 0) console.warn(`skipped: ${program} is not installed, or may not run here`);
  return status === 0;
}

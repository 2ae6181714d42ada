import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** How the box command is started and who watches it. */
export interface BoxCommandOptions {
  /** The program and its first arguments, such as `[node, apps/cli/dist/main.js]`. */
  readonly program: readonly string[];
  /** The home directory that every run uses. */
  readonly home: string;
  /** Gets each line of standard error as it comes. */
  readonly onLine?: ((line: string) => void) | undefined;
  /** The kernel that boots machines, when it is not where the box command looks by itself. */
  readonly kernel?: string | undefined;
  /** Stops a run. */
  readonly signal?: AbortSignal;
}

/** A run of the box command that ended with 0. */
export interface BoxRun {
  /** What it printed on standard output. */
  readonly stdout: string;
  /** The lines that it printed on standard error. */
  readonly notes: readonly string[];
  /** How long it took. */
  readonly durationMs: number;
}

/** A run of the box command that ended with anything but 0. */
export class BoxRunFailed extends Error {
  override readonly name = "BoxRunFailed";
  /** What it printed on standard output. */
  readonly stdout: string;

  constructor(args: readonly string[], end: number | NodeJS.Signals | null, stdout: string) {
    super(`box ${args.join(" ")} ended with ${end}`);
    this.stdout = stdout;
  }
}

/**
 * Runs the box command with a home of its own, as a child process.
 *
 * @throws BoxRunFailed when it ends with anything but 0; Error when it cannot be started.
 */
export async function runBox(
  args: readonly string[],
  { program, home, onLine, kernel, signal }: BoxCommandOptions,
): Promise<BoxRun> {
  const [command = "", ...first] = program;
  const startedAt = performance.now();
  const child = spawn(command, [...first, "--home", home, "--progress", "plain", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...ownEnvironment(), ...(kernel === undefined ? {} : { BOX_KERNEL: kernel }) },
    ...(signal === undefined ? {} : { signal }),
  });
  const ended = endOf(child);
  const stdout = child.stdout.setEncoding("utf8").reduce((all, part: string) => all + part, "");
  const [text, notes, end] = await Promise.all([stdout, linesOf(child.stderr, onLine), ended]);
  if (end !== 0) throw new BoxRunFailed(args, end, text);
  return { stdout: text, notes, durationMs: performance.now() - startedAt };
}

/** Waits until the process is gone, also when it was stopped: it may still write until then. */
function endOf(child: ChildProcess): Promise<number | NodeJS.Signals | null> {
  return new Promise((resolve, reject) => {
    let failure: Error | undefined;
    child.once("error", (error) => {
      failure = error;
    });
    child.once("close", (code, killedBy) => {
      if (failure === undefined) resolve(code ?? killedBy);
      else reject(failure);
    });
  });
}

async function linesOf(stream: Readable, onLine?: (line: string) => void): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface(stream)) {
    lines.push(line);
    onLine?.(line);
  }
  return lines;
}

/** The environment without settings for the box command: the demo shows what everybody gets. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith("BOX_"));
  return { ...Object.fromEntries(entries), NO_COLOR: "1" };
}

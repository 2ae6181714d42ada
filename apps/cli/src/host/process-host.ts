import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { CliError } from "../errors.ts";
import type { Host, TakenSignal, Terminal } from "./host.ts";
import { openOutput, outputError, type ProcessOutput } from "./process-output.ts";

/** The host of the running process, and what its signals have asked for. */
export interface ProcessHost extends Host {
  /** The exit code of the signal that arrived first. */
  signalExitCode(): number | undefined;
  /** Resolves once everything written has been handed to the system, or refused by it. */
  drain(): Promise<void>;
}

const signalExitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Connects box to the process: streams, signals, environment. */
export function createProcessHost(): ProcessHost {
  quietExperimentalSqlite();
  const controller = new AbortController();
  let firstExitCode: number | undefined;
  let takeInterrupt: (name: TakenSignal) => boolean = () => false;
  for (const [name, exitCode] of Object.entries(signalExitCodes)) {
    process.on(name, () => {
      const mayBeTaken = name === "SIGINT" || name === "SIGTERM";
      if (mayBeTaken && firstExitCode === undefined && takeInterrupt(name)) return;
      // The second signal means: leave now. What is half made has temporary names and is swept later.
      if (firstExitCode !== undefined) process.exit(firstExitCode);
      firstExitCode = exitCode;
      controller.abort(
        new CliError({
          code: "CLI_INTERRUPTED",
          message: `stopped by ${name}, everything half made is removed`,
        }),
      );
    });
  }
  const stdout = openOutput("stdout", controller.signal);
  const stderr = openOutput("stderr", controller.signal);
  return {
    argv: process.argv.slice(2),
    env: process.env,
    cwd: process.cwd(),
    stdin: () => process.stdin,
    stdout,
    writeBytes: (chunks) => writeBytes(chunks, stdout, "stdout"),
    writeErrorBytes: (chunks) => writeBytes(chunks, stderr, "stderr"),
    // Looked at when it is asked for: opening stdin takes time, and most commands never read it.
    get terminal() {
      return stdout.isTerminal && process.stdin.isTTY ? terminal : undefined;
    },
    stderr,
    get stderrStream() {
      return stderr.stream();
    },
    signal: controller.signal,
    onInterrupt: (take) => {
      takeInterrupt = take;
      return () => {
        takeInterrupt = () => false;
      };
    },
    // As `performance.now`, which brings a module of its own.
    now: () => process.uptime() * 1000,
    writeCrashFile,
    signalExitCode: () => firstExitCode,
    drain: async () => {
      await Promise.allSettled([stdout.flush(), stderr.flush()]);
    },
  };
}

const terminal: Terminal = {
  size: () => ({ rows: process.stdout.rows, columns: process.stdout.columns }),
  enter: (onResize) => {
    const resized = () => onResize(terminal.size());
    process.stdin.setRawMode(true);
    // Node leaves it to the terminal to put a carriage return before a line feed, which is the box's own terminal's to do: programs that
    // draw mean a bare one. Leaving raw mode brings back what was there before.
    const { spawnSync } = process.getBuiltinModule("node:child_process");
    spawnSync("stty", ["-opost"], { stdio: ["inherit", "ignore", "ignore"] });
    process.stdout.on("resize", resized);
    return () => {
      process.stdin.setRawMode(false);
      process.stdout.off("resize", resized);
    };
  },
};

async function writeBytes(
  chunks: AsyncIterable<Uint8Array>,
  output: ProcessOutput,
  name: string,
): Promise<boolean> {
  try {
    await pipeline(chunks, output.stream(), { end: false });
    return true;
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === "EPIPE" || code === "ERR_STREAM_PREMATURE_CLOSE") return false;
    throw syscall === "write" ? outputError(name, error as NodeJS.ErrnoException) : error;
  }
}

function writeCrashFile(error: unknown): string | undefined {
  const path = join(tmpdir(), `box-crash-${process.pid}-${Date.now()}.txt`);
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  try {
    writeFileSync(path, `${process.version} ${process.platform} ${process.arch}\n${stack}\n`, {
      flag: "wx",
      mode: 0o600,
    });
    return path;
  } catch {
    return undefined;
  }
}

/** Node 22 warns about `node:sqlite` on every run; stderr belongs to box. */
function quietExperimentalSqlite(): void {
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = ((warning: string | Error, ...rest: never[]) => {
    if (String(warning).includes("SQLite is an experimental feature")) return;
    emitWarning(warning, ...rest);
  }) as typeof process.emitWarning;
}

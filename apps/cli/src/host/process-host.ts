import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CliError } from "../errors.ts";
import type { Host, OutputStream } from "./host.ts";

/** The host of the running process, and what its signals have asked for. */
export interface ProcessHost extends Host {
  /** The exit code of the signal that arrived first. */
  signalExitCode(): number | undefined;
  /** Resolves once everything written has been handed to the system. */
  drain(): Promise<void>;
}

const signalExitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Connects box to the process: streams, signals, environment. */
export function createProcessHost(): ProcessHost {
  quietExperimentalSqlite();
  const controller = new AbortController();
  let firstExitCode: number | undefined;
  for (const [name, exitCode] of Object.entries(signalExitCodes)) {
    process.on(name, () => {
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
  return {
    argv: process.argv.slice(2),
    env: process.env,
    cwd: process.cwd(),
    stdout: toOutput(process.stdout),
    stderr: toOutput(process.stderr),
    stderrStream: process.stderr,
    signal: controller.signal,
    now: () => performance.now(),
    writeCrashFile,
    signalExitCode: () => firstExitCode,
    drain: async () => {
      await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
    },
  };
}

function toOutput(stream: NodeJS.WriteStream): OutputStream {
  let isOpen = true;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // The reader has left, as `head` does: the work goes on, its output goes nowhere.
    if (error.code !== "EPIPE") throw error;
    isOpen = false;
  });
  return {
    write: (text) => {
      if (isOpen) stream.write(text);
    },
    isTerminal: stream.isTTY === true,
    get columns() {
      return stream.columns ?? 80;
    },
  };
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) resolve();
    else stream.write("", () => resolve());
  });
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

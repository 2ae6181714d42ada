import { PassThrough } from "node:stream";
import type { CommandSpec } from "../../src/command/define-command.ts";
import { runBox } from "../../src/command/run.ts";
import { commands } from "../../src/commands/table.ts";
import type { Host, OutputStream } from "../../src/host/host.ts";

/** What a run of box inside the test process printed. */
export interface BoxRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What was printed as bytes. */
  readonly bytes?: Uint8Array;
}

/** What a test may choose about the process that box believes to run in. */
export interface RunBoxOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly stdin?: string | Uint8Array;
  readonly isTerminal?: boolean;
  readonly signal?: AbortSignal;
  readonly commands?: readonly CommandSpec[];
  readonly now?: () => number;
}

/** Runs box inside the test process, so that coverage counts it. */
export async function runBoxHere(
  argv: readonly string[],
  options: RunBoxOptions = {},
): Promise<BoxRun> {
  const { isTerminal = false } = options;
  const stdout = recordStream(isTerminal);
  const stderr = recordStream(isTerminal);
  const stderrStream = new PassThrough();
  stderrStream.on("data", (chunk: Buffer) => stderr.write(chunk.toString()));
  const written: Uint8Array[] = [];
  const host: Host = {
    argv,
    stdin: async function* () {
      const { stdin = "" } = options;
      yield typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin;
    },
    writeBytes: async (chunks) => {
      for await (const chunk of chunks) written.push(chunk.slice());
      return true;
    },
    onInterrupt: () => () => {},
    writeErrorBytes: async (chunks) => {
      for await (const chunk of chunks) stderr.write(Buffer.from(chunk).toString());
      return true;
    },
    terminal: undefined,
    env: { HOME: "/nonexistent", ...options.env },
    cwd: options.cwd ?? "/",
    stdout,
    stderr,
    stderrStream,
    signal: options.signal ?? new AbortController().signal,
    now: options.now ?? (() => 0),
    writeCrashFile: () => "/tmp/box-crash.txt",
  };
  const exitCode = await runBox(host, { commands: options.commands ?? commands, version: "1.2.3" });
  const printed = { exitCode, stdout: stdout.text(), stderr: stderr.text() };
  return written.length === 0 ? printed : { ...printed, bytes: Buffer.concat(written) };
}

/** An output stream that keeps what is written. */
export function recordStream(isTerminal = false): OutputStream & { text(): string } {
  let text = "";
  return {
    isTerminal,
    columns: 80,
    flush: async () => {},
    write: (more) => {
      text += more;
    },
    text: () => text,
  };
}

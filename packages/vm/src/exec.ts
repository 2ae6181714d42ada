/** A name and a value of an environment, in order; later ones win. */
export type EnvironmentEntry = readonly [name: string, value: string];

/** The size of a terminal in characters. */
export interface TerminalSize {
  /** Lines, 1 to 65535. */
  readonly rows: number;
  /** Characters in a line, 1 to 65535. */
  readonly columns: number;
}

/** A command to run in a machine. */
export interface ExecRequest {
  /** The program, looked up in the box's own `PATH` unless it has a slash, and its arguments. */
  readonly command: readonly string[];
  /** The whole environment. */
  readonly environment?: readonly EnvironmentEntry[];
  /** Whether `HOME` is added, from the box's `/etc/passwd`, when the environment has none. No unless given. */
  readonly setsHome?: boolean;
  /** Where it runs, absolute; the root folder unless given. */
  readonly workingDirectory?: string;
  /** As whom: `USER[:GROUP]` by names of the box or by numbers; root unless given. */
  readonly user?: string;
  /** More groups that it is in, by names of the box or by numbers. */
  readonly groups?: readonly string[];
  /** Gives it a terminal of this size. Its output is one stream then, and `stderr` is empty. */
  readonly terminal?: TerminalSize;
  /** Where it runs: in the box's own file system, or in that of the system that boots. `box` unless given. */
  readonly target?: "box" | "guest";
}

/** How a command ended. */
export interface ExecExit {
  /** 0 to 255; 128 and the signal's number when a signal ended it. */
  readonly exitCode: number;
  /** The signal that ended it, such as `SIGKILL`. */
  readonly signal?: string;
}

/** The input of a command. */
export interface ExecInput {
  /**
   * Sends bytes; resolves when more may be sent, so that one who waits for it needs bounded memory. Bytes arrive in order.
   *
   * @throws VmError `VM_STREAM_CLOSED` once the command has ended or its input was closed.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends the input: the command reads end of file after what was sent. Again is no failure. */
  end(): Promise<void>;
}

/**
 * A command that runs in a machine.
 *
 * Output that nobody reads stops the command after some 64 KiB, as a full pipe does. A reader that leaves its loop early
 * gives the rest up: it is thrown away and stops nothing. Each stream has one reader. Disposing ends the command with
 * `SIGKILL` when it still runs.
 */
export interface ExecProcess extends AsyncDisposable {
  /** Its input. */
  readonly stdin: ExecInput;
  /** What it writes to its standard output, or to its terminal. Throws `VM_MACHINE_DIED` when the machine ends first. */
  readonly stdout: AsyncIterable<Uint8Array>;
  /** What it writes to its standard error; nothing with a terminal. */
  readonly stderr: AsyncIterable<Uint8Array>;
  /**
   * How it ended. Output that came before may still wait to be read. Stopping to wait leaves the command alone.
   *
   * @throws VmError `VM_MACHINE_DIED`; the reason of the signal that the command was run with.
   */
  wait(options?: { readonly signal?: AbortSignal }): Promise<ExecExit>;
  /** Sends a signal, such as `SIGINT`, to its whole process group. One that has ended is left alone. */
  kill(signal?: string): Promise<void>;
  /** Tells its terminal another size. Without a terminal nothing happens. */
  resize(size: TerminalSize): Promise<void>;
}

/** A signal of this process that somebody may take. */
export type TakenSignal = "SIGINT" | "SIGTERM";

/** One of the process's output streams. */
export interface OutputStream {
  /** Writes text; after the reader has gone away it does nothing. */
  write(text: string): void;
  /**
   * Resolves once everything written has been handed to the system, or its reader has gone away.
   *
   * @throws CliError `CLI_OUTPUT_FAILED` when the system refused some of it.
   */
  flush(): Promise<void>;
  /** Whether a person looks at it. */
  readonly isTerminal: boolean;
  /** Characters in a line. */
  readonly columns: number;
}

/** The terminal that a person works at. */
export interface Terminal {
  /** How large it is now. */
  size(): { readonly rows: number; readonly columns: number };
  /**
   * Gives every key to who reads the input, Ctrl-C too, and tells when the size changes.
   *
   * @returns What makes it as it was.
   */
  enter(onResize: (size: { readonly rows: number; readonly columns: number }) => void): () => void;
}

/** Everything that box takes from its process, so that a test can be one. */
export interface Host {
  /** The words after `box`. */
  readonly argv: readonly string[];
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder that relative paths belong to. */
  readonly cwd: string;
  /** What is piped in. */
  readonly stdin: () => AsyncIterable<Uint8Array>;
  /** Data. */
  readonly stdout: OutputStream;
  /**
   * Writes bytes to stdout as fast as their reader takes them.
   *
   * @returns Whether all were taken; when the reader has gone away the rest is dropped.
   */
  writeBytes(chunks: AsyncIterable<Uint8Array>): Promise<boolean>;
  /** Writes bytes to stderr, as {@link Host.writeBytes} does to stdout. */
  writeErrorBytes(chunks: AsyncIterable<Uint8Array>): Promise<boolean>;
  /** The terminal, when both stdin and stdout are one. */
  readonly terminal: Terminal | undefined;
  /** Progress, warnings and errors. */
  readonly stderr: OutputStream;
  /** stderr for a renderer that redraws. */
  readonly stderrStream: NodeJS.WritableStream;
  /** Aborted by the first Ctrl-C or termination signal, with the error to show as its reason. */
  readonly signal: AbortSignal;
  /**
   * Gives Ctrl-C and `SIGTERM` to somebody, until the function that it gives is called: where that answers false it aborts the signal
   * as ever.
   */
  onInterrupt(take: (name: TakenSignal) => boolean): () => void;
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  /** Keeps the stack trace of an internal error and says where; nothing when it cannot. */
  writeCrashFile(error: unknown): string | undefined;
}

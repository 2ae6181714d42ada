import type { ExecRequest, TerminalSize } from "../exec.ts";

/** What a simulated program has to work with. */
export interface ProgramContext {
  /** Its arguments, its own name left out. */
  readonly args: readonly string[];
  /** How it was asked for. */
  readonly request: ExecRequest;
  /** Its input. */
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Writes to its output; waits while nobody reads. */
  write(bytes: Uint8Array): Promise<void>;
  /** Writes to its error output. */
  writeError(bytes: Uint8Array): Promise<void>;
  /** Aborts with the name of the signal that ends it. */
  readonly ended: AbortSignal;
  /** The next size that its terminal is given. */
  nextSize(): Promise<TerminalSize>;
  /** Signals that it handles itself, from now on: `name` no longer ends it. */
  handle(name: string): Promise<void>;
}

/** A simulated program; gives its exit code. */
export type GuestProgram = (context: ProgramContext) => Promise<number>;

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const blockBytes = 16 * 1024;

/** The programs of a simulated box, by name. */
export const guestPrograms: Readonly<Record<string, GuestProgram>> = {
  /** Exits with the code that it is given. */
  exit: async ({ args }) => Number(args[0] ?? 0),
  /** Copies its input to its output. */
  cat: async ({ stdin, write }) => {
    for await (const chunk of stdin) await write(chunk);
    return 0;
  },
  /** Writes its first argument to its output, its second to its error output. */
  print: async ({ args, write, writeError }) => {
    await write(text(args[0] ?? ""));
    await writeError(text(args[1] ?? ""));
    return 0;
  },
  /** Writes this many bytes `x`. */
  flood: async ({ args, write }) => {
    for (let left = Number(args[0]); left > 0; left -= blockBytes) {
      await write(new Uint8Array(Math.min(left, blockBytes)).fill(0x78));
    }
    return 0;
  },
  /** Runs until a signal ends it. */
  sleep: async ({ ended }) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (ended.aborted) resolve();
    ended.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    return 0;
  },
  /** Writes its environment, one `NAME=VALUE` a line. */
  env: async ({ request, write }) => {
    for (const [name, value] of request.environment ?? []) await write(text(`${name}=${value}\n`));
    return 0;
  },
  /** Writes its working folder. */
  pwd: async ({ request, write }) => {
    await write(text(`${request.workingDirectory ?? "/"}\n`));
    return 0;
  },
  /** Writes as whom it runs. */
  whoami: async ({ request, write }) => {
    await write(text(`${request.user ?? "root"}\n`));
    return 0;
  },
  /** Says `ready`, waits for an interrupt, says `interrupted` and exits with 7. */
  trap: async ({ write, handle }) => {
    const interrupted = handle("SIGINT");
    await write(text("ready\n"));
    await interrupted;
    await write(text("interrupted\n"));
    return 7;
  },
  /** Writes the size of its terminal, and again when it changes, then exits. */
  size: async ({ request, write, nextSize }) => {
    const show = (size: TerminalSize | undefined) =>
      write(text(size === undefined ? "none\r\n" : `${size.rows} ${size.columns}\r\n`));
    await show(request.terminal);
    if (request.terminal !== undefined) await show(await nextSize());
    return 0;
  },
};

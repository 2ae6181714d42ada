import type { ErrorKind } from "@box/errors";
import type { ZodType } from "zod";
import type { TakenSignal, Terminal } from "../host/host.ts";
import type { Paint } from "../output/paint.ts";
import type { ProgressRenderer } from "../progress/shown-event.ts";
import type { GlobalOptions } from "./global-values.ts";
import type { GivenLimits } from "./limits.ts";

/** Where the shell's completion finds the values of an argument or a flag. */
export type ValueSource = "boxes" | "images" | "commands" | "codes" | "files" | "directories";

/** A positional argument. */
export interface ArgumentSpec {
  /** Shown in help in capitals; the key in the input schema is its camel case. */
  readonly name: string;
  /** One line for help. */
  readonly summary: string;
  /** May be left out. */
  readonly optional?: boolean;
  /** Takes every further word; only the last argument may. */
  readonly many?: boolean;
  /** The closed list of values. */
  readonly choices?: readonly string[];
  /** How the shell completes it. */
  readonly complete?: ValueSource;
}

/** A flag. Without {@link FlagSpec.value} it is a switch. */
export interface FlagSpec {
  /** The long name without dashes, such as `recreate-disk`; the key in the input schema is its camel case. */
  readonly name: string;
  /** The one-letter name without dash. */
  readonly short?: string;
  /** What stands for the value in help, such as `FILE`. */
  readonly value?: string;
  /** One line for help. */
  readonly summary: string;
  /** May be given more than once. */
  readonly many?: boolean;
  /** The closed list of values. */
  readonly choices?: readonly string[];
  /** The environment variable that is used when the flag is not given. */
  readonly env?: string;
  /** How the shell completes the value. */
  readonly complete?: ValueSource;
}

/** A line of a command's help that can be copied. */
interface ExampleSpec {
  /** The whole command line. */
  readonly command: string;
  /** What it does. */
  readonly summary: string;
}

/** The checked form of a command's words and of what it prints. */
interface CommandSchemas<Input, Output> {
  /** Arguments and flags together, by camel-case name. */
  readonly input: ZodType<Input>;
  /** What the command prints with `--format json`. */
  readonly output: ZodType<Output>;
}

/** What a command does. */
export interface CommandAction<Input, Output> {
  /** Carries the command out. Whatever it returns is printed on stdout; nothing else is. */
  run(input: Input, context: CommandContext): Promise<Output>;
  /** The result for people, without a closing line break; empty prints nothing. */
  text(output: Output, paint: Paint): string;
  /** What `--quiet` prints instead, one a line: names or digests. */
  identifiers?(output: Output): readonly string[];
  /** The exit code of a result that is not a failure of box; 0 without it. */
  exitCode?(output: Output): number;
  /** The result in one of {@link CommandSpec.formats}. */
  formatted?(output: Output, format: string): string;
}

/** A command as data. Parser, help, completion, documents and schemas are all made from it. */
export interface CommandSpec<Input = unknown, Output = unknown> {
  /** The words that name it, such as `["rootfs", "build"]`. */
  readonly path: readonly string[];
  /** One line for the list of commands. */
  readonly summary: string;
  /** A paragraph or two for the command's own help. */
  readonly description?: string;
  /** Positional arguments, in order. */
  readonly args: readonly ArgumentSpec[];
  /** Flags of its own; the global ones apply to every command. */
  readonly flags: readonly FlagSpec[];
  /** Values of `--format` besides `text` and `json`. */
  readonly formats?: readonly string[];
  /** At least one. */
  readonly examples: readonly ExampleSpec[];
  /** The kinds of failure that a user should expect; help shows their exit codes. */
  readonly failures: readonly ErrorKind[];
  /** What exit codes mean that are a result of this command and no failure. */
  readonly exitCodes?: Readonly<Record<number, string>>;
  /** Left out of help, completion and documents. */
  readonly hidden?: boolean;
  /**
   * Whether texts that are not empty, as many as its flags and arguments say, are all that it wants of its input: no schema is loaded
   * then for what is so.
   */
  readonly hasPlainInput?: boolean;
  /** Whether it changes anything on disk. */
  readonly mutates: boolean;
  /** Loads the schemas; called only when there is something to check. */
  schemas(): Promise<CommandSchemas<Input, Output>>;
  /** Loads the code. */
  action(): Promise<CommandAction<Input, Output>>;
}

/** What a command may use besides its own input. Everything from the process comes through here. */
export interface CommandContext {
  /** The home directory, absolute; it need not exist. */
  readonly home: string;
  /** The checked global flags. */
  readonly globals: GlobalOptions;
  /** What `--limit` changes. */
  readonly limits: GivenLimits;
  /** Aborted by Ctrl-C, by a termination signal and by `--timeout`. */
  readonly signal: AbortSignal;
  /**
   * Gives Ctrl-C and `SIGTERM` to somebody, until the function that it gives is called: where that answers false it aborts the signal
   * as ever.
   */
  onInterrupt(take: (name: TakenSignal) => boolean): () => void;
  /** The process's environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder that relative paths belong to. */
  readonly cwd: string;
  /** What is piped in. */
  readonly stdin: () => AsyncIterable<Uint8Array>;
  /** Prints bytes in place of a result. @returns Whether all were taken: their reader may leave, as `head` does. */
  writeBytes(chunks: AsyncIterable<Uint8Array>): Promise<boolean>;
  /** Writes bytes to stderr, as {@link CommandContext.writeBytes} does to stdout. */
  writeErrorBytes(chunks: AsyncIterable<Uint8Array>): Promise<boolean>;
  /** The terminal, when both stdin and stdout are one. */
  readonly terminal: Terminal | undefined;
  /** Every command, for those that talk about commands. */
  readonly commands: readonly CommandSpec[];
  /** Shows events and notes on stderr; opened at the first call. */
  progress(): Promise<ProgressRenderer>;
  /** Prints an error that does not end the command, as those that do are printed. */
  reportError(error: unknown): Promise<void>;
  /** Prints a result before the command ends, as its last one would be. */
  emit(output: unknown): void;
}

/** Says that an object is a command and checks that its schemas and its action agree. */
export function defineCommand<Input, Output>(
  spec: CommandSpec<Input, Output>,
): CommandSpec<Input, Output> {
  return spec;
}

/** The words of a command as one text, such as `rootfs build`. */
export function commandName(spec: Pick<CommandSpec, "path">): string {
  return spec.path.join(" ");
}

/** The key of a flag or an argument in the input schema: `recreate-disk` becomes `recreateDisk`. */
export function inputKey(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

import { BoxError, type ErrorKind } from "@box/errors";

/** Why the command line itself failed. */
export type CliErrorCode =
  | "CLI_USAGE" // usage
  | "CLI_INVALID_ARGUMENT" // invalid-argument
  | "CLI_UNSUPPORTED" // unsupported
  | "CLI_FILE_IN_USE" // in-use
  | "CLI_UNKNOWN_CODE" // not-found
  | "CLI_NO_SUCH_PATH" // not-found
  | "CLI_TIMEOUT" // timeout
  | "CLI_INTERRUPTED" // aborted
  | "CLI_OUTPUT_FAILED" // io
  | "CLI_COPY_REFUSED" // denied
  | "CLI_COPY_LIMIT"; // limit

/** The kind of each code. */
export const cliErrorKinds: Readonly<Record<CliErrorCode, ErrorKind>> = {
  CLI_USAGE: "usage",
  CLI_INVALID_ARGUMENT: "invalid-argument",
  CLI_UNSUPPORTED: "unsupported",
  CLI_FILE_IN_USE: "in-use",
  CLI_UNKNOWN_CODE: "not-found",
  CLI_NO_SUCH_PATH: "not-found",
  CLI_TIMEOUT: "timeout",
  CLI_INTERRUPTED: "aborted",
  CLI_OUTPUT_FAILED: "io",
  CLI_COPY_REFUSED: "denied",
  CLI_COPY_LIMIT: "limit",
};

/** What a {@link CliError} is made from. */
export interface CliErrorOptions {
  /** The failure's stable name. */
  readonly code: CliErrorCode;
  /** One sentence for a person. */
  readonly message: string;
  /** Facts for programs. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** What to do next. */
  readonly hint?: string;
  /** The lower-level error. */
  readonly cause?: unknown;
}

/** A command line that cannot be carried out as it was written. */
export class CliError extends BoxError<CliErrorCode> {
  constructor(options: CliErrorOptions) {
    super({ ...options, kind: cliErrorKinds[options.code] });
  }
}

/** An error that ends box with an exit code of its own, where the codes of another tool are asked for. */
export class ExitCodeError extends Error {
  /** The exit code. */
  readonly exitCode: number;

  /** @param cause - What is shown. */
  constructor(cause: unknown, exitCode: number) {
    super("ends with another exit code", { cause });
    this.exitCode = exitCode;
  }
}

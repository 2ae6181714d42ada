import { CliError } from "../errors.ts";
import { type CommandSpec, commandName } from "./define-command.ts";
import { parseDuration } from "./duration.ts";
import { globalFlags } from "./global-flags.ts";
import type { GlobalOptions, LogLevel, ProgressMode } from "./global-values.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** The global flags as the parser gives them. */
export interface GivenGlobals {
  /** `--home`. */
  readonly home?: string;
  /** `--format`, any text. */
  readonly format?: string;
  /** `--progress`. */
  readonly progress?: string;
  /** False after `--no-color`. */
  readonly color?: boolean;
  /** `--quiet`. */
  readonly quiet?: boolean;
  /** `--insecure`. */
  readonly insecure?: readonly string[];
  /** `--limit`, any texts. */
  readonly limit?: readonly string[];
  /** `--log-level`, one of its choices. */
  readonly logLevel?: LogLevel;
  /** `--timeout`, any text. */
  readonly timeout?: string;
}

/** Checks the global flags of a run and fills in their environment variables and defaults. */
export function readGlobalOptions(given: GivenGlobals, spec: CommandSpec, env: Env): GlobalOptions {
  const quiet = given.quiet === true;
  const { BOX_HOME } = env;
  return {
    home: readHome(given.home) ?? (BOX_HOME || undefined),
    format: readFormat(given.format ?? "text", spec),
    progress: readProgress(given.progress, env),
    color: given.color !== false,
    quiet,
    insecureHosts: given.insecure ?? [],
    limits: given.limit ?? [],
    logLevel: given.logLevel ?? (quiet ? "warn" : "info"),
    timeoutMs: given.timeout === undefined ? undefined : parseDuration(given.timeout),
  };
}

/** An empty `--home` is a script's unset variable, not a wish for the default. */
function readHome(flag: string | undefined): string | undefined {
  if (flag !== "") return flag;
  throw new CliError({
    code: "CLI_USAGE",
    message: "--home is empty",
    hint: "name a folder, or leave --home out for the default home",
  });
}

/** The formats that a command offers. */
function formatsOf(spec: CommandSpec): readonly string[] {
  return ["text", "json", ...(spec.formats ?? [])];
}

function readFormat(format: string, spec: CommandSpec): string {
  const offered = formatsOf(spec);
  if (offered.includes(format)) return format;
  throw new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `box ${commandName(spec)} has no format ${JSON.stringify(format)}`,
    hint: `use one of: ${offered.join(", ")}`,
  });
}

function readProgress(flag: string | undefined, env: Env): ProgressMode {
  const { BOX_PROGRESS } = env;
  const mode = flag ?? (BOX_PROGRESS || "auto");
  const modes = globalFlags.find(({ name }) => name === "progress")?.choices ?? [];
  if (modes.includes(mode)) return mode as ProgressMode;
  throw new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `BOX_PROGRESS is ${JSON.stringify(mode)}`,
    hint: `use one of: ${modes.join(", ")}`,
  });
}

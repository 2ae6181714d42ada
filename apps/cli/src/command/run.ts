import { exitCodeOf, kindOf } from "@box/errors";
import { CliError, ExitCodeError } from "../errors.ts";
import { resolveHome } from "../host/home.ts";
import type { Host } from "../host/host.ts";
import { formatJson } from "../output/json.ts";
import { createPaint } from "../output/paint.ts";
import { createRenderer } from "../progress/create-renderer.ts";
import type { ProgressRenderer } from "../progress/shown-event.ts";
import type { CommandAction, CommandSpec } from "./define-command.ts";
import type { GlobalOptions } from "./global-values.ts";
import { wantedPage } from "./help.ts";
import { checkInput } from "./input.ts";
import type { GivenLimits } from "./limits.ts";
import { readPlainLine } from "./plain-line.ts";

/** What {@link runBox} needs besides the host. */
export interface RunOptions {
  /** Every command. */
  readonly commands: readonly CommandSpec[];
  /** What `--version` prints. */
  readonly version: string;
}

/** Carries out one command line and says the exit code. Never throws. */
export async function runBox(host: Host, { commands, version }: RunOptions): Promise<number> {
  let globals: GlobalOptions | undefined;
  try {
    const page = wantedPage(host.argv, commands);
    if (page !== undefined) {
      host.stdout.write(`${page}\n`);
      await host.stdout.flush();
      return 0;
    }
    const parsed =
      readPlainLine(host.argv, { commands, env: host.env }) ??
      (await import("./parse.ts")).parseCommandLine(host.argv, {
        commands,
        version,
        env: host.env,
      });
    if (parsed.type === "text") {
      host.stdout.write(`${parsed.text}\n`);
      await host.stdout.flush();
      return 0;
    }
    globals = parsed.globals;
    const input = await checkInput(parsed.spec, parsed.input);
    const exitCode = await runCommand(host, { spec: parsed.spec, input, globals, commands });
    await host.stdout.flush();
    return exitCode;
  } catch (error) {
    const first = firstFailure(error);
    const { cause, exitCode } = first instanceof ExitCodeError ? first : { cause: first };
    const shown = host.signal.aborted && kindOf(cause) === "aborted" ? host.signal.reason : cause;
    host.stderr.write(await describeError(host, shown, globals));
    return exitCode ?? exitCodeOf(shown);
  }
}

/** Where closing failed as well, what failed before it. */
function firstFailure(error: unknown): unknown {
  let first = error;
  while (first instanceof Error && first.name === "SuppressedError" && "suppressed" in first) {
    first = first.suppressed;
  }
  return first;
}

interface CommandRun {
  readonly spec: CommandSpec;
  readonly input: unknown;
  readonly globals: GlobalOptions;
  readonly commands: readonly CommandSpec[];
}

async function runCommand(
  host: Host,
  { spec, input, globals, commands }: CommandRun,
): Promise<number> {
  const paint = createPaint({
    allowed: globals.color,
    isTerminal: host.stdout.isTerminal,
    env: host.env,
  });
  const limits = await checkLimits(globals.limits);
  const action = await spec.action();
  const timeout = startTimeout(globals.timeoutMs);
  const signal = AbortSignal.any([host.signal, timeout.signal]);
  let renderer: Promise<ProgressRenderer> | undefined;
  const progress = () => {
    renderer ??= createRenderer(host, globals);
    return renderer;
  };
  let output: unknown;
  try {
    const { env, cwd } = host;
    const home = resolveHome(globals.home, host);
    output = await action.run(input, {
      home,
      globals,
      limits,
      signal,
      env,
      cwd,
      commands,
      progress,
      stdin: host.stdin,
      writeBytes: (chunks) => host.writeBytes(chunks),
      writeErrorBytes: (chunks) => host.writeErrorBytes(chunks),
      onInterrupt: (take) => host.onInterrupt(take),
      get terminal() {
        return host.terminal;
      },
      emit: (early) => write(host, formatOutput(action, early, globals, paint)),
      reportError: async (error) => {
        const text = (await describeError(host, error, globals)).trimEnd();
        (await progress()).print(text);
      },
    });
  } catch (error) {
    if (timeout.signal.aborted && kindOf(firstFailure(error)) === "aborted") {
      throw timeout.signal.reason;
    }
    throw error;
  } finally {
    timeout.stop();
    (await renderer)?.close();
  }
  write(host, formatOutput(action, output, globals, paint));
  return action.exitCode?.(output) ?? 0;
}

/** Most runs have none, and need none of the code. */
async function checkLimits(texts: readonly string[]): Promise<GivenLimits> {
  if (texts.length === 0) {
    return { images: {}, layers: {}, registry: {}, retry: {}, connections: {}, copies: {} };
  }
  const { parseLimits } = await import("./limits.ts");
  return parseLimits(texts);
}

function write(host: Host, text: string): void {
  if (text !== "") host.stdout.write(`${text}\n`);
}

function formatOutput(
  action: CommandAction<unknown, unknown>,
  output: unknown,
  { format, quiet }: GlobalOptions,
  paint: ReturnType<typeof createPaint>,
): string {
  if (output === undefined) return "";
  // A program that asked for JSON gets JSON; what is left of --quiet is that there is no progress.
  if (format === "json") return formatJson(output);
  if (quiet && action.identifiers !== undefined) return action.identifiers(output).join("\n");
  if (format !== "text" && action.formatted !== undefined) return action.formatted(output, format);
  return action.text(output, paint);
}

function startTimeout(timeoutMs: number | undefined): { signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  if (timeoutMs === undefined) return { signal: controller.signal, stop: () => {} };
  const timer = setTimeout(() => {
    controller.abort(
      new CliError({
        code: "CLI_TIMEOUT",
        message: `the command did not end within ${timeoutMs} ms`,
        hint: "give it more time with --timeout; what was finished is kept and not done again",
      }),
    );
  }, timeoutMs);
  return { signal: controller.signal, stop: () => clearTimeout(timer) };
}

async function describeError(
  host: Host,
  error: unknown,
  globals: GlobalOptions | undefined,
): Promise<string> {
  const { describeError: describe } = await import("./describe-error.ts");
  return describe(host, error, globals);
}

import { exitCodeOf, kindOf } from "@box/errors";
import { CliError } from "../errors.ts";
import { resolveHome } from "../host/home.ts";
import type { Host } from "../host/host.ts";
import { formatJson } from "../output/json.ts";
import { createPaint } from "../output/paint.ts";
import { renderError } from "../output/render-error.ts";
import { createRenderer } from "../progress/create-renderer.ts";
import type { ProgressRenderer } from "../progress/shown-event.ts";
import type { CommandAction, CommandSpec } from "./define-command.ts";
import type { GlobalOptions } from "./global-values.ts";
import { checkInput } from "./input.ts";
import { parseCommandLine } from "./parse.ts";

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
    const parsed = parseCommandLine(host.argv, { commands, version, env: host.env });
    if (parsed.type === "text") {
      host.stdout.write(`${parsed.text}\n`);
      return 0;
    }
    globals = parsed.globals;
    const input = await checkInput(parsed.spec, parsed.input);
    return await runCommand(host, { spec: parsed.spec, input, globals, commands });
  } catch (error) {
    const shown = host.signal.aborted && kindOf(error) === "aborted" ? host.signal.reason : error;
    report(host, shown, globals);
    return exitCodeOf(shown);
  }
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
    output = await action.run(input, { home, globals, signal, env, cwd, commands, progress });
  } catch (error) {
    if (timeout.signal.aborted && kindOf(error) === "aborted") throw timeout.signal.reason;
    throw error;
  } finally {
    timeout.stop();
    (await renderer)?.close();
  }
  const text = formatOutput(action, output, globals, paint);
  if (text !== "") host.stdout.write(`${text}\n`);
  return action.exitCode?.(output) ?? 0;
}

function formatOutput(
  action: CommandAction<unknown, unknown>,
  output: unknown,
  { format, quiet }: GlobalOptions,
  paint: ReturnType<typeof createPaint>,
): string {
  if (output === undefined) return "";
  if (quiet && action.identifiers !== undefined) return action.identifiers(output).join("\n");
  if (format === "json") return formatJson(output);
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

function report(host: Host, error: unknown, globals: GlobalOptions | undefined): void {
  const crashFile = kindOf(error) === "internal" ? host.writeCrashFile(error) : undefined;
  host.stderr.write(
    renderError(error, {
      format: globals?.format ?? guessFormat(host.argv),
      paint: createPaint({
        allowed: globals?.color ?? !host.argv.includes("--no-color"),
        isTerminal: host.stderr.isTerminal,
        env: host.env,
      }),
      ...(crashFile === undefined ? {} : { crashFile }),
    }),
  );
}

/** A command line that could not be parsed may still have asked for JSON. */
function guessFormat(argv: readonly string[]): string {
  const isJson = argv.includes("--format=json") || argv[argv.indexOf("--format") + 1] === "json";
  return isJson ? "json" : "text";
}

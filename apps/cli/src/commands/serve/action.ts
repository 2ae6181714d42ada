import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import packageJson from "../../../package.json" with { type: "json" };
import { openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { parseDuration } from "../../command/duration.ts";
import { CliError } from "../../errors.ts";
import type { ServeInput, ServeOutput } from "./schemas.ts";

const maxKeyFileBytes = 4096;

/** Serves until it is told to stop: that is its normal end, not a failure. */
export async function run(input: ServeInput, context: CommandContext): Promise<undefined> {
  const { env, home, globals, signal } = context;
  const graceMs = input.shutdownGrace === undefined ? 10_000 : parseDuration(input.shutdownGrace);
  const apiKey = await readKey(input.apiKeyFile, context);
  const { defaultSocketPath, parseListenAddress, runtimeBoxes, serve } = await import(
    "@box/server"
  );
  const listen = parseListenAddress(input.listen ?? `unix://${defaultSocketPath(home, env)}`);
  await using runtime = await openRuntime(context);
  const progress = await context.progress();
  const server = await serve({
    boxes: runtimeBoxes(runtime),
    // Without an engine nothing can be started again.
    ...(runtime.engine === undefined ? {} : { supervised: runtime.boxes }),
    listen,
    apiKey,
    version: packageJson.version,
    ...(globals.logLevel === "debug" ? { log: (line) => progress.print(line.trimEnd()) } : {}),
  });
  context.emit({ url: server.url, pid: process.pid } satisfies ServeOutput);
  await aborted(signal);
  await server.stop({ graceMs });
}

/** The URL. */
export function text({ url }: ServeOutput): string {
  return url;
}

async function readKey(
  path: string | undefined,
  { cwd }: CommandContext,
): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const found = await readFile(resolve(cwd, path), "utf8").catch((error: unknown) => {
    throw new CliError({
      code: "CLI_INVALID_ARGUMENT",
      message: `--api-key-file: cannot read ${path}`,
      cause: error,
    });
  });
  const key = found.slice(0, maxKeyFileBytes).split("\n")[0]?.trim() ?? "";
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `--api-key-file: the first line of ${path} is not a key of visible ASCII characters`,
    hint: "make one with: openssl rand -hex 32",
  });
}

async function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve: end } = Promise.withResolvers<void>();
  if (signal.aborted) end();
  else signal.addEventListener("abort", () => end(), { once: true });
  await promise;
}

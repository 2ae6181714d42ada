import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  FolderRegistryStorage,
  type RegistryAuth,
  type ServeRegistryOptions,
  serveRegistry,
} from "@box/oras/registry-server";
import type { CommandContext } from "../../command/define-command.ts";
import { parseDuration } from "../../command/duration.ts";
import { CliError } from "../../errors.ts";
import { formatSize } from "../../output/table.ts";
import type { RegistryServeInput, RegistryServeOutput } from "./schemas.ts";

const defaultListen = "127.0.0.1:5000";

/** Serves until it is told to stop: that is its normal end, not a failure. */
export async function run(input: RegistryServeInput, context: CommandContext): Promise<undefined> {
  const { cwd, signal, globals } = context;
  const { host, port } = parseListen(input.listen ?? defaultListen);
  const tls = await readTls(input, cwd);
  const auth = await readAuth(input, cwd);
  const gcEveryMs = readInterval(input);
  const publicUrl = readPublicUrl(input);
  const isLocal = host === "localhost" || host === "::1" || host.startsWith("127.");
  const progress = await context.progress();
  if (!isLocal && (auth === undefined || tls === undefined)) {
    const lack =
      auth === undefined ? "everybody who reaches it may write" : "passwords go in the clear";
    progress.event({
      type: "warning",
      task: "registry",
      message: `${host} is not loopback: ${lack}`,
    });
  }
  const storage =
    input.dir === undefined
      ? undefined
      : await FolderRegistryStorage.open(resolve(cwd, input.dir), Date.now(), {
          command: "box registry serve",
        });
  const options: ServeRegistryOptions = {
    host,
    port,
    ...(storage === undefined ? {} : { storage }),
    ...(auth === undefined ? {} : { auth }),
    ...(tls === undefined ? {} : { tls }),
    ...(publicUrl === undefined ? {} : { publicUrl }),
    onError: (error) => void context.reportError(error),
    ...(globals.logLevel === "debug"
      ? {
          onRequest: ({ method, path, status }) => progress.print(`${method} ${path} ${status}`),
        }
      : {}),
  };
  await using served = await listen(options);
  context.emit({
    url: served.origin,
    host: served.host,
    pid: process.pid,
  } satisfies RegistryServeOutput);
  await (storage === undefined || gcEveryMs === undefined
    ? aborted(signal)
    : collectUntilAborted(storage, gcEveryMs, context));
}

/** The URL. */
export function text({ url }: RegistryServeOutput): string {
  return url;
}

async function listen(options: ServeRegistryOptions): ReturnType<typeof serveRegistry> {
  try {
    return await serveRegistry(options);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined || !/^E[A-Z]+$/.test(code)) throw cause;
    throw invalid("--listen", `cannot listen on ${options.host}:${options.port}: ${code}`, cause);
  }
}

function parseListen(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, name, digits] =
    /^(?:\[([\da-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? name;
  const port = Number(digits);
  if (host === undefined || port > 65_535)
    throw invalid("--listen", `${JSON.stringify(text)} is not HOST:PORT`);
  return { host, port };
}

async function readTls(
  { tlsCert, tlsKey }: RegistryServeInput,
  cwd: string,
): Promise<ServeRegistryOptions["tls"]> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined) throw invalid("--tls-cert", "it belongs to --tls-key");
  if (tlsKey === undefined) throw invalid("--tls-key", "it belongs to --tls-cert");
  return {
    cert: await readText("--tls-cert", resolve(cwd, tlsCert)),
    key: await readText("--tls-key", resolve(cwd, tlsKey)),
  };
}

async function readAuth(
  { users, auth, anonymousPull = false }: RegistryServeInput,
  cwd: string,
): Promise<RegistryAuth | undefined> {
  if (users === undefined) {
    if (auth !== undefined) throw invalid("--auth", "it needs --users");
    if (anonymousPull) throw invalid("--anonymous-pull", "it needs --users");
    return undefined;
  }
  const path = resolve(cwd, users);
  const text = await readText("--users", path);
  if (((await stat(path)).mode & 0o077) !== 0) {
    throw invalid("--users", `others may read ${path}; run: chmod 600 ${path}`);
  }
  return { scheme: auth ?? "basic", users: parseUsers(text, path), anonymousPull };
}

function parseUsers(text: string, path: string): Record<string, string> {
  const lines = text.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#"));
  const entries = lines.map((line) => {
    const colon = line.indexOf(":");
    if (colon <= 0 || colon === line.length - 1) {
      throw invalid("--users", `a line of ${path} is not NAME:PASSWORD`);
    }
    return [line.slice(0, colon), line.slice(colon + 1)] as const;
  });
  if (entries.length === 0) throw invalid("--users", `${path} names no user`);
  return Object.fromEntries(entries);
}

async function readText(label: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw invalid(label, `cannot read ${path}`, cause);
  }
}

function readPublicUrl({ publicUrl }: RegistryServeInput): string | undefined {
  if (publicUrl === undefined) return undefined;
  const url = URL.parse(publicUrl);
  const isOrigin = url !== null && publicUrl.replace(/\/$/, "") === url.origin;
  if (isOrigin && /^https?:$/.test(url.protocol)) return publicUrl;
  throw invalid("--public-url", `${JSON.stringify(publicUrl)} is not https://HOST[:PORT]`);
}

function readInterval({ dir, gcEvery }: RegistryServeInput): number | undefined {
  if (gcEvery === undefined) return undefined;
  if (dir === undefined) throw invalid("--gc-every", "it needs --dir");
  return parseDuration(gcEvery, "--gc-every");
}

/** Collects garbage time and again. A failure is told about and tried again the next time. */
async function collectUntilAborted(
  storage: FolderRegistryStorage,
  everyMs: number,
  context: CommandContext,
): Promise<void> {
  const { signal } = context;
  const progress = await context.progress();
  const tell = (type: "info" | "warning", message: string): void =>
    progress.event({ type, task: "registry", message });
  for (;;) {
    await sleep(everyMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    try {
      const found = await storage.collectGarbage({ nowMs: Date.now(), signal });
      const { blobs, freedBytes, damaged } = found;
      for (const { repository, message } of damaged) tell("warning", `${repository}: ${message}`);
      const size = formatSize(freedBytes);
      const what = blobs.length === 1 ? "1 blob" : `${blobs.length} blobs`;
      if (blobs.length > 0) tell("info", `collected ${what}, ${size}`);
    } catch (error) {
      if (!signal.aborted) void context.reportError(error);
    }
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve: end } = Promise.withResolvers<void>();
  if (signal.aborted) end();
  else signal.addEventListener("abort", () => end(), { once: true });
  await promise;
}

function invalid(label: string, why: string, cause?: unknown): CliError {
  return new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `box registry serve: ${label}: ${why}`,
    hint: "run: box registry serve --help",
    ...(cause === undefined ? {} : { cause }),
  });
}

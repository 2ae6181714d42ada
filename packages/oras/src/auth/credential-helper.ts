import { spawn } from "node:child_process";
import * as z from "zod";
import { OrasError } from "../errors.ts";
import type { Credentials } from "./credentials.ts";

/** What a helper is asked to do. */
export type HelperAction = "get" | "store" | "erase";

/** Options of `runHelper`. */
export interface RunHelperOptions {
  /** The environment of the helper; that of this process unless given. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** How long it may take; 30 s unless given. */
  readonly timeoutMs?: number;
}

const maxOutputBytes = 1024 * 1024;

const replySchema = z.lazy(() => z.looseObject({ Username: z.string(), Secret: z.string() }));

/** What helpers say, by Docker's protocol, when they know nothing. */
const notFoundReply = "credentials not found in native keychain";

/**
 * Asks a credential helper for a host's credentials.
 *
 * @returns Nothing when the helper has none.
 * @throws {@link OrasError} `ORAS_INVALID_CREDENTIALS`; what the helper printed is never in the message.
 */
export async function askHelper(
  helper: string,
  key: string,
  options: RunHelperOptions = {},
): Promise<Credentials | undefined> {
  const { status, output } = await runHelper(helper, "get", key, options);
  if (status !== 0) {
    if (output.includes(notFoundReply)) return undefined;
    throw helperFailed(helper, `it exited with ${status}`);
  }
  const { Username, Secret } = parseReply(helper, output);
  if (Username === "" && Secret === "") return undefined;
  return Username === "<token>"
    ? { type: "identity-token", token: Secret }
    : { type: "password", username: Username, password: Secret };
}

/**
 * Runs `docker-credential-HELPER ACTION` with its input on stdin, without a shell.
 *
 * @throws {@link OrasError} `ORAS_INVALID_CREDENTIALS` when it cannot run, takes too long or says too much.
 */
export async function runHelper(
  helper: string,
  action: HelperAction,
  input: string,
  options: RunHelperOptions = {},
): Promise<{ status: number; output: string }> {
  if (!/^[A-Za-z0-9._-]+$/.test(helper) || helper.length > 100) {
    throw helperFailed(helper.slice(0, 100), "its name is malformed");
  }
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; output: string }>();
  const child = spawn(`docker-credential-${helper}`, [action], {
    stdio: ["pipe", "pipe", "ignore"],
    ...(options.env === undefined ? {} : { env: { ...options.env } }),
  });
  // What the helper started itself may live on and write: closing the pipe ends it, waiting for it would not.
  const stop = (why: string): void => {
    child.kill("SIGKILL");
    child.stdout.destroy();
    reject(helperFailed(helper, why));
  };
  const timer = setTimeout(() => stop("it takes too long"), options.timeoutMs ?? 30_000);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    if (output.length > maxOutputBytes) stop("it says too much");
  });
  child.on("error", () => stop("it cannot be run"));
  child.on("close", (status, signal) => {
    if (status === null) reject(helperFailed(helper, `it was stopped by ${signal}`));
    else resolve({ status, output });
  });
  // A helper may exit before it has read everything.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

function parseReply(helper: string, output: string): z.infer<typeof replySchema> {
  try {
    const parsed = replySchema.safeParse(JSON.parse(output));
    if (parsed.success) return parsed.data;
  } catch {
    // Said below; the cause would quote the secret.
  }
  throw helperFailed(helper, "its reply is malformed");
}

function helperFailed(helper: string, why: string): OrasError {
  return new OrasError({
    code: "ORAS_INVALID_CREDENTIALS",
    message: `cannot use credential helper docker-credential-${helper}: ${why}`,
    details: { helper },
    hint: "check credsStore and credHelpers in the configuration file",
  });
}

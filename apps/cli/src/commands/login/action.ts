import {
  type Credentials,
  isRegistryHost,
  RegistryClient,
  readAll,
  storeCredentials,
  untilAborted,
} from "@box/oras";
import { credentialFiles } from "../../boxes/credentials.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { CliError } from "../../errors.ts";
import { registryOptions } from "../../registries/registry-options.ts";
import { showWarnings } from "../../registries/show-warnings.ts";
import type { LoginInput, LoginOutput } from "./schemas.ts";

const maxPasswordBytes = 64 * 1024;

/** Tries user and password at the registry; keeps them only when they are right. */
export async function run(
  { host = "docker.io", username, passwordStdin }: LoginInput,
  context: CommandContext,
): Promise<LoginOutput> {
  if (!isRegistryHost(host)) throw invalid("HOST", `${JSON.stringify(host)} is not HOST[:PORT]`);
  if (username === undefined) throw invalid("--username", "give the user's name", stdinHint);
  if (!passwordStdin) {
    throw invalid("--password-stdin", "the password is taken from stdin only", stdinHint);
  }
  const credentials: Credentials = {
    type: "password",
    username,
    password: await readPassword(context),
  };
  await tryLogin(host, credentials, context);
  const [file = ""] = credentialFiles(context.env);
  await storeCredentials(file, host, credentials, { env: context.env });
  return { host, username, file };
}

/** One line. */
export function text({ host, username, file }: LoginOutput): string {
  return `logged in to ${host} as ${username}; kept by ${file}`;
}

const stdinHint = "for example: box login HOST --username NAME --password-stdin < FILE";

async function readPassword({ stdin, signal }: CommandContext): Promise<string> {
  const bytes = await readAll(untilAborted(stdin(), signal), maxPasswordBytes, "the password");
  const password = new TextDecoder().decode(bytes).replace(/\r?\n$/, "");
  if (password === "") throw invalid("--password-stdin", "stdin is empty", stdinHint);
  if (/[\r\n\0]/.test(password)) {
    throw invalid("--password-stdin", "stdin holds more than one line", stdinHint);
  }
  return password;
}

async function tryLogin(
  host: string,
  credentials: Credentials,
  context: CommandContext,
): Promise<void> {
  const { env, globals, limits, signal } = context;
  const options = await registryOptions(env, limits);
  const isInsecure = globals.insecureHosts.includes(host);
  await using client = new RegistryClient({
    ...options,
    ...(await showWarnings(context)()),
    hosts: {
      ...options.hosts,
      ...(isInsecure ? { [host]: { ...options.hosts?.[host], scheme: "http" } } : {}),
    },
    credentials: async () => credentials,
  });
  const response = await client.request({
    endpoint: client.endpoint(host),
    method: "GET",
    target: "/v2/",
    expect: [200],
    what: `log in to ${host}`,
    signal,
  });
  response.discard();
}

function invalid(label: string, why: string, hint = "run: box login --help"): CliError {
  return new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `box login: ${label}: ${why}`,
    hint,
  });
}

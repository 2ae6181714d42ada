import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { HostOptions, ProxyOptions, RegistryClientOptions } from "@box/oras";
import type { GivenLimits } from "../command/limits.ts";
import { CliError } from "../errors.ts";

type Env = Readonly<Record<string, string | undefined>>;

/**
 * How registries are reached: proxies from the environment, mirrors and certificates from the user's file, and limits
 * of sizes, tries and time from the command line.
 */
export async function registryOptions(
  env: Env,
  { registry: limits, retry, connections }: Omit<GivenLimits, "images" | "layers">,
): Promise<RegistryClientOptions> {
  const proxy = proxyOptions(env);
  const settings = await readRegistriesFile(env);
  return { ...settings, ...connections, retry, limits, ...(proxy === undefined ? {} : { proxy }) };
}

/** The proxies of the environment; lower case comes first, as in other programs. */
export function proxyOptions(env: Env): ProxyOptions | undefined {
  const value = (name: string): string => env[name] || env[name.toUpperCase()] || "";
  const all = value("all_proxy");
  const httpProxy = value("http_proxy") || all;
  const httpsProxy = value("https_proxy") || all;
  if (httpProxy === "" && httpsProxy === "") return undefined;
  const noProxy = value("no_proxy");
  return {
    // Without a proxy for one of both kinds, that kind goes directly.
    ...(httpProxy === "" ? {} : { httpProxy }),
    ...(httpsProxy === "" ? {} : { httpsProxy }),
    ...(noProxy === "" ? {} : { noProxy }),
  };
}

/** Where the file is: `BOX_REGISTRIES`, else `registries.json` in the user's configuration. */
export function registriesFile(env: Env): string {
  const { BOX_REGISTRIES, XDG_CONFIG_HOME, HOME } = env;
  const configuration = XDG_CONFIG_HOME || join(HOME || homedir(), ".config");
  return BOX_REGISTRIES || join(configuration, "box", "registries.json");
}

async function readRegistriesFile(env: Env): Promise<RegistryClientOptions> {
  const path = registriesFile(env);
  const text = await readText(path, env["BOX_REGISTRIES"] !== undefined);
  if (text === undefined) return {};
  const { parseRegistries } = await import("./registries-schema.ts");
  const { hosts, caFile } = parseRegistries(text, path);
  const entries = Object.entries(hosts).map(async ([host, { caFile: own, ...options }]) => {
    const ca = own === undefined ? {} : { ca: await readCertificate(own, path) };
    return [host, { ...options, ...ca } satisfies HostOptions] as const;
  });
  return {
    hosts: Object.fromEntries(await Promise.all(entries)),
    ...(caFile === undefined ? {} : { ca: await readCertificate(caFile, path) }),
  };
}

async function readCertificate(name: string, registries: string): Promise<string> {
  return (await readText(resolve(dirname(registries), name), true)) ?? "";
}

async function readText(path: string, isRequired: boolean): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (!isRequired && (code === "ENOENT" || code === "ENOTDIR")) return undefined;
    throw new CliError({
      code: "CLI_INVALID_ARGUMENT",
      message: `cannot read ${path}`,
      hint: "check the file that says how registries are reached",
      cause,
    });
  }
}

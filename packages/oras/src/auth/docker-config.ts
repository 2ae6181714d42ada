import * as z from "zod";
import { OrasError } from "../errors.ts";
import { parseJson } from "../json/parse-json.ts";
import type { Credentials } from "./credentials.ts";

const entrySchema = z.lazy(() => {
  const text = z.string().nullish();
  return z.looseObject({
    auth: text,
    username: text,
    password: text,
    identitytoken: text,
    registrytoken: text,
  });
});

// Programs in Go write null for what holds nothing, and read it like that.
const configSchema = z.lazy(() =>
  z.looseObject({
    auths: z.record(z.string(), entrySchema.nullable()).nullish(),
    credsStore: z.string().nullish(),
    credHelpers: z.record(z.string(), z.string().nullable()).nullish(),
  }),
);

/** A parsed `config.json` of Docker or `auth.json` of Podman; unknown fields are kept. */
export type DockerConfig = Readonly<Record<string, unknown>> & {
  /** Credentials by host, or by a prefix of a repository. */
  readonly auths?: Readonly<Record<string, DockerConfigEntry | null>> | null;
  /** The helper for all hosts. */
  readonly credsStore?: string | null;
  /** Helpers by host. */
  readonly credHelpers?: Readonly<Record<string, string | null>> | null;
};

/** One entry of `auths`. */
export interface DockerConfigEntry {
  /** `user:password` in base64. */
  readonly auth?: string | null;
  /** User, when it is apart. */
  readonly username?: string | null;
  /** Password, when it is apart. */
  readonly password?: string | null;
  /** A token that buys access tokens. */
  readonly identitytoken?: string | null;
  /** A token for the registry itself. */
  readonly registrytoken?: string | null;
}

const maxConfigBytes = 1024 * 1024;
const dockerHubKey = "https://index.docker.io/v1/";

/**
 * Parses a credential file.
 *
 * @param what - The file's path, for messages.
 * @throws {@link OrasError} `ORAS_INVALID_CREDENTIALS`; no part of the content is in the message.
 */
export function parseDockerConfig(bytes: Uint8Array, what: string): DockerConfig {
  let value: unknown;
  try {
    value = parseJson(bytes, { what, maxBytes: maxConfigBytes });
  } catch {
    // The cause may quote the content, which is secret.
    throw invalidCredentials(what, "it is not JSON of a sensible size");
  }
  const parsed = configSchema.safeParse(value);
  if (!parsed.success) {
    throw invalidCredentials(
      what,
      `${String(parsed.error.issues[0]?.path[0] ?? "it")} is malformed`,
    );
  }
  return parsed.data as DockerConfig;
}

/** The key under which a host's credentials are kept. */
export function configKeyOf(host: string): string {
  return host === "docker.io" ? dockerHubKey : host;
}

/** The helper that a configuration names for a host. */
export function helperFor(config: DockerConfig, host: string): string | undefined {
  // A host may be called like what all objects have.
  const helpers = new Map(Object.entries(config.credHelpers ?? {}));
  for (const key of [host, configKeyOf(host)]) {
    const helper = helpers.get(key) ?? "";
    if (helper !== "") return helper;
  }
  return config.credsStore || undefined;
}

/**
 * The credentials in the file for a repository: of the longest prefix of `HOST/REPOSITORY`, else of the host. Of several
 * ways to write the host the one that logins write comes first.
 *
 * @throws {@link OrasError} `ORAS_INVALID_CREDENTIALS` for an entry that cannot be decoded.
 */
export function findCredentials(
  config: DockerConfig,
  host: string,
  repository = "",
): Credentials | undefined {
  const entries = Object.entries(config.auths ?? {});
  const path = `${host}/${repository}`;
  let best: { length: number; entry: DockerConfigEntry } | undefined;
  for (const [key, entry] of entries) {
    if (entry === null) continue;
    const prefix = normalizeKey(key);
    const fits = prefix === host || path === prefix || path.startsWith(`${prefix}/`);
    const isBetter =
      best === undefined ||
      prefix.length > best.length ||
      (prefix.length === best.length && key === configKeyOf(host));
    if (fits && isBetter) best = { length: prefix.length, entry };
  }
  return best === undefined ? undefined : decodeEntry(best.entry, host);
}

/** The keys under which a file has credentials of a whole host, however they are written. */
export function keysOf(config: DockerConfig, host: string): readonly string[] {
  return Object.keys(config.auths ?? {}).filter((key) => normalizeKey(key) === host);
}

/** `https://HOST/v1/` and the like are old ways to write HOST. */
function normalizeKey(key: string): string {
  const bare = key.replace(/^https?:\/\//, "").replace(/\/(v1|v2)?\/?$/, "");
  return bare === "index.docker.io" || bare === "registry-1.docker.io" ? "docker.io" : bare;
}

function decodeEntry(entry: DockerConfigEntry, host: string): Credentials | undefined {
  if (entry.registrytoken) return { type: "registry-token", token: entry.registrytoken };
  if (entry.identitytoken) return { type: "identity-token", token: entry.identitytoken };
  if (entry.auth) return decodeAuth(entry.auth, host);
  if (!entry.username || typeof entry.password !== "string") return undefined;
  return { type: "password", username: entry.username, password: entry.password };
}

function decodeAuth(auth: string, host: string): Credentials {
  const text = Buffer.from(auth, "base64").toString("utf8").replace(/\0+$/, "");
  const colon = text.indexOf(":");
  if (colon <= 0) {
    throw invalidCredentials(`the entry of ${host}`, "its auth is not user:password in base64");
  }
  return { type: "password", username: text.slice(0, colon), password: text.slice(colon + 1) };
}

function invalidCredentials(what: string, why: string): OrasError {
  return new OrasError({
    code: "ORAS_INVALID_CREDENTIALS",
    message: `cannot read credentials from ${what}: ${why}`,
    hint: "log in again, or repair the file",
  });
}

import { realpath, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { isBoxError } from "@box/errors";
import {
  acquireLock,
  ensureDirectory,
  errnoOf,
  openFile,
  toIoError,
  writeFileDurably,
} from "@box/io/node";
import { OrasError } from "../errors.ts";
import { askHelper, type RunHelperOptions, runHelper } from "./credential-helper.ts";
import type { CredentialProvider, Credentials } from "./credentials.ts";
import {
  configKeyOf,
  type DockerConfig,
  findCredentials,
  helperFor,
  keysOf,
  parseDockerConfig,
} from "./docker-config.ts";

const maxConfigBytes = 1024 * 1024;

/**
 * Finds credentials in Docker's and Podman's files and the helpers that they name. Files are tried in order and read
 * anew each time; a missing file is skipped.
 *
 * @param paths - Files such as `~/.docker/config.json` and `auth.json`.
 */
export function dockerCredentials(
  paths: readonly string[],
  options: RunHelperOptions = {},
): CredentialProvider {
  return async (host, repository) => {
    for (const path of paths) {
      const config = await readConfig(path);
      const found = await findIn(config, host, repository, options);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

/**
 * Keeps credentials for a host: with the helper that the file names, else in the file itself, readable by its owner
 * alone. An empty file `PATH.lock` stays beside it, by which processes wait for each other.
 *
 * @throws {@link OrasError} `ORAS_INVALID_CREDENTIALS`; IoError.
 */
export async function storeCredentials(
  path: string,
  host: string,
  credentials: Credentials,
  options: RunHelperOptions = {},
): Promise<void> {
  const key = configKeyOf(host);
  const helper = helperFor(await readConfig(path), host);
  if (helper !== undefined) {
    const reply = JSON.stringify({ ServerURL: key, ...toHelperEntry(credentials) });
    await requireSuccess(helper, await runHelper(helper, "store", reply, options));
    return;
  }
  await changeConfig(path, (config) => ({
    ...authsWithout(config, host),
    [key]: toConfigEntry(credentials),
  }));
}

/**
 * Forgets a host's credentials, under whatever keys the file has them. Those of parts of the host stay.
 *
 * @returns false when there were none.
 */
export async function eraseCredentials(
  path: string,
  host: string,
  options: RunHelperOptions = {},
): Promise<boolean> {
  const key = configKeyOf(host);
  const config = await readConfig(path);
  const helper = helperFor(config, host);
  const isKept = helper !== undefined && (await askHelper(helper, key, options)) !== undefined;
  if (isKept) await requireSuccess(helper, await runHelper(helper, "erase", key, options));
  if (keysOf(config, host).length === 0) return isKept;
  await changeConfig(path, (current) => authsWithout(current, host));
  return true;
}

function authsWithout(config: DockerConfig, host: string): Readonly<Record<string, unknown>> {
  const erased = new Set(keysOf(config, host));
  return Object.fromEntries(Object.entries(config.auths ?? {}).filter(([key]) => !erased.has(key)));
}

async function findIn(
  config: DockerConfig,
  host: string,
  repository: string | undefined,
  options: RunHelperOptions,
): Promise<Credentials | undefined> {
  const helper = helperFor(config, host);
  const fromHelper =
    helper === undefined ? undefined : await askHelper(helper, configKeyOf(host), options);
  return fromHelper ?? findCredentials(config, host, repository);
}

async function readConfig(path: string): Promise<DockerConfig> {
  try {
    await using file = await openFile(path);
    return parseDockerConfig(await file.read(0, maxConfigBytes + 1), path);
  } catch (error) {
    if (isBoxError(error) && error.code === "IO_NOT_FOUND") return {};
    throw error;
  }
}

async function changeConfig(
  path: string,
  change: (config: DockerConfig) => Readonly<Record<string, unknown>>,
): Promise<void> {
  await ensureDirectory(dirname(path));
  const target = await followLinks(path);
  await ensureLockFile(`${target}.lock`);
  await using _lock = await acquireLock(`${target}.lock`, { command: "change credentials" });
  const config = await readConfig(target);
  const changed = { ...config, auths: change(config) };
  await writeFileDurably(target, `${JSON.stringify(changed, undefined, 2)}\n`, { mode: 0o600 });
}

/** Who cannot read a file's passwords need not be able to hold its lock either. */
async function ensureLockFile(path: string): Promise<void> {
  try {
    // One that is there is not even opened: closing it would free a lock of this process.
    await writeFile(path, "", { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw toIoError(error, { action: "cannot lock", path });
  }
}

/** The file behind a symbolic link, so that the link stays one, as with Docker and Podman. */
async function followLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return path;
    throw toIoError(error, { action: "cannot find", path });
  }
}

function toConfigEntry(credentials: Credentials): Record<string, string> {
  switch (credentials.type) {
    case "password": {
      const text = `${credentials.username}:${credentials.password}`;
      return { auth: Buffer.from(text).toString("base64") };
    }
    case "identity-token":
      return { identitytoken: credentials.token };
    case "registry-token":
      return { registrytoken: credentials.token };
  }
}

function toHelperEntry(credentials: Credentials): Record<string, string> {
  return credentials.type === "password"
    ? { Username: credentials.username, Secret: credentials.password }
    : { Username: "<token>", Secret: credentials.token };
}

async function requireSuccess(helper: string, { status }: { status: number }): Promise<void> {
  if (status === 0) return;
  throw new OrasError({
    code: "ORAS_INVALID_CREDENTIALS",
    message: `cannot use credential helper docker-credential-${helper}: it exited with ${status}`,
    details: { helper },
  });
}

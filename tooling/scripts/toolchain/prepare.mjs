import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "./run.mjs";

/** @typedef {import("./toolchain.mjs").Toolchain} Toolchain */

/** Only errors and what the user asked for go to standard output: `box` promises that it is data. */
const chatterToStderr = /** @type {const} */ (["ignore", 2, 2]);

/** Folders that no build reads. */
const unread = new Set(["node_modules", "dist", "test", "bench", "coverage"]);

/**
 * Installs the dependencies unless the lockfile is the one that was installed last.
 *
 * @param {string} root
 * @param {Toolchain} toolchain
 * @returns {Promise<number>} pnpm's exit code.
 */
export async function ensureInstalled(root, toolchain) {
  if (isInstalled(root)) return 0;
  const outcome = await run(
    "pnpm",
    ["install", "--frozen-lockfile", "--loglevel=warn", "--config.confirmModulesPurge=false"],
    { cwd: root, env: environment(root, toolchain), stdio: [...chatterToStderr] },
  );
  if (outcome.code === 0) record(root, "install", installKey(root));
  return outcome.code;
}

/**
 * Whether the installed dependencies are those of the lockfile.
 *
 * @param {string} root
 * @returns {boolean}
 */
export function isInstalled(root) {
  return recorded(root, "install") === installKey(root);
}

/**
 * Builds the command line unless no source has changed since it was built last.
 *
 * @param {string} root
 * @param {Toolchain} toolchain
 * @returns {Promise<number>} turbo's exit code.
 */
export async function ensureBuilt(root, toolchain) {
  if (isBuilt(root)) return 0;
  // A source that is edited while the build runs must not count as built.
  const sources = sourcesKey(root);
  const outcome = await run(
    join(root, "node_modules", ".bin", "turbo"),
    ["run", "build", "--filter=@box/cli", "--output-logs=errors-only"],
    { cwd: root, env: environment(root, toolchain), stdio: [...chatterToStderr] },
  );
  if (outcome.code === 0) record(root, "build", buildKey(root, sources));
  return outcome.code;
}

/**
 * Whether the built command line is that of the sources.
 *
 * @param {string} root
 * @returns {boolean}
 */
export function isBuilt(root) {
  return recorded(root, "build") === buildKey(root, sourcesKey(root));
}

/**
 * @param {string} root
 * @param {Toolchain} toolchain
 * @returns {NodeJS.ProcessEnv} For the tools of the repository.
 */
export function environment(root, toolchain) {
  return {
    ...process.env,
    PATH: `${join(root, "node_modules", ".bin")}:${toolchain.path}`,
    TURBO_TELEMETRY_DISABLED: "1",
    DO_NOT_TRACK: "1",
  };
}

/** @param {string} root */
function installKey(root) {
  const hash = createHash("sha256");
  for (const file of ["pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json"]) {
    hash.update(readFileSync(join(root, file)));
  }
  // An install by hand writes this file anew.
  return hash.update(stampOf(join(root, "node_modules", ".modules.yaml"))).digest("hex");
}

/**
 * @param {string} root
 * @param {string} sources
 */
function buildKey(root, sources) {
  return `${sources} ${stampOf(join(root, "apps/cli/dist/main.js"))}`;
}

/** @param {string} root */
function sourcesKey(root) {
  const hash = createHash("sha256").update(installKey(root));
  for (const folder of ["apps", "packages", "tooling/tsup", "tooling/tsconfig"]) {
    hashSources(hash, join(root, folder));
  }
  return hash.digest("hex");
}

/**
 * @param {import("node:crypto").Hash} hash
 * @param {string} folder
 */
function hashSources(hash, folder) {
  const entries = readdirSync(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!unread.has(entry.name) && !entry.name.startsWith(".")) hashSources(hash, path);
    } else if (entry.isFile() && !entry.name.includes(".bundled_")) {
      hash.update(`${path}\0${stampOf(path)}\0`);
    }
  }
}

/** @param {string} path */
function stampOf(path) {
  const facts = statSync(path, { throwIfNoEntry: false });
  return facts === undefined ? "absent" : `${facts.size} ${facts.mtimeMs} ${facts.ino}`;
}

/**
 * @param {string} root
 * @param {string} name
 * @returns {string | undefined}
 */
function recorded(root, name) {
  try {
    return readFileSync(join(root, ".cache", name), "utf8");
  } catch {
    return undefined;
  }
}

/**
 * @param {string} root
 * @param {string} name
 * @param {string} key
 */
function record(root, name, key) {
  mkdirSync(join(root, ".cache"), { recursive: true });
  writeFileSync(join(root, ".cache", name), key);
}

/**
 * Runs an action while no other process of this checkout prepares: a build replaces files that others would load.
 *
 * @template Result
 * @param {string} root
 * @param {() => Promise<Result>} action
 * @returns {Promise<Result>}
 */
export async function withPrepareLock(root, action) {
  const path = join(root, ".cache", "prepare.lock");
  mkdirSync(dirname(path), { recursive: true });
  for (let announced = false; !lock(path); ) {
    if (!announced) process.stderr.write("box: waiting for another process to build\n");
    announced = true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const free = () => rmSync(path, { force: true });
  process.on("exit", free);
  try {
    return await action();
  } finally {
    process.off("exit", free);
    free();
  }
}

/**
 * @param {string} path
 * @returns {boolean} Whether this process holds the lock now.
 */
function lock(path) {
  try {
    writeFileSync(path, `${process.pid}`, { flag: "wx" });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
  }
  const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  const holder = Number(readHolder(path));
  // A lock that is still empty is being written.
  if (holder === 0 ? age > 5000 : !isAlive(holder)) rmSync(path, { force: true });
  return false;
}

/** @param {string} path */
function readHolder(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}

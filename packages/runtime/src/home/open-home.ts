import { constants, readFileSync, realpathSync } from "node:fs";
import { chmod, readdir } from "node:fs/promises";
import { resolve } from "node:path";
import { IoError } from "@box/io";
import {
  ensureDirectory,
  errnoOf,
  nodeFileSystem,
  toIoError,
  writeFileDurably,
} from "@box/io/node";
import { RuntimeError } from "../errors.ts";
import { type FileSystemType, readFileSystemType, refuseNetwork } from "./file-system-type.ts";
import { type HomeLayout, homeLayout } from "./layout.ts";

/** The format of homes that this version makes and reads. */
export const homeFormat = 1;

/** What `openHome` takes. */
export interface OpenHomeOptions {
  /** The home's path; made when it does not exist. */
  readonly home: string;
  /** Allows a home on a network file system, where the state may be damaged. */
  readonly allowNetworkFileSystem?: boolean;
  /** Tells what kind of file system a path is on; the host's answer unless given. */
  readonly fileSystemType?: (path: string) => Promise<FileSystemType>;
}

const maxVersionBytes = 64;
const writableByOthers = constants.S_IWGRP | constants.S_IWOTH;
const knownEntries = new Set(["images", "bases", "boxes", "locks", "tmp"]);

/**
 * Opens a home, and makes it when it is not there: mode 0700, the version file and the folders.
 *
 * @throws RuntimeError `HOME_*`, or IoError when something cannot be made. A folder that is refused is not changed.
 */
export async function openHome(options: OpenHomeOptions): Promise<HomeLayout> {
  const path = resolve(options.home);
  checkLength(path);
  const root = await makeRoot(path);
  checkLength(root);
  await checkOwner(root);
  const home = homeLayout(root);
  const version = (await readVersion(home)) ?? (await checkUnused(home));
  if (options.allowNetworkFileSystem !== true) {
    refuseNetwork(root, await (options.fileSystemType ?? readFileSystemType)(root));
  }
  if (version === undefined) await startHome(home);
  for (const folder of [home.images, home.bases, home.boxes, home.locks, home.tmp]) {
    await ensureDirectory(folder);
  }
  return home;
}

/** SQLite takes paths of up to 512 bytes; of those `/locks/base-KEY.lock-journal` needs 89, and it counts an end. */
const maxRootBytes = 420;

function checkLength(path: string): void {
  const length = Buffer.byteLength(path);
  if (length <= maxRootBytes) return;
  throw new RuntimeError({
    code: "HOME_PATH_TOO_LONG",
    message: `cannot use ${path} as home: its path has ${length} bytes, the limit is ${maxRootBytes}`,
    details: { path, length, limit: maxRootBytes },
    hint: "give a shorter path with --home",
  });
}

async function makeRoot(path: string): Promise<string> {
  try {
    await ensureDirectory(path);
    const root = await nodeFileSystem.realpath(path);
    if (isUtf8(path, root)) return root;
  } catch (error) {
    const errno = errnoOf(error instanceof IoError ? error.cause : error);
    // EEXIST: a symbolic link that leads nowhere.
    if (errno === "ENOTDIR" || errno === "EEXIST") {
      throw new RuntimeError({
        code: "HOME_NOT_A_FOLDER",
        message: `cannot use ${path} as home: it, or a part of its path, is not a folder`,
        details: { path },
        hint: "give another folder with --home",
        cause: error,
      });
    }
    throw unreadable(path, error);
  }
  throw new RuntimeError({
    code: "HOME_UNREADABLE",
    message: `cannot use ${path} as home: the name of a folder that it leads to is not UTF-8, and SQLite takes no other`,
    details: { path },
    hint: "use a home whose folders all have UTF-8 names with --home",
  });
}

/** Whether a real path is what it says: Node.js puts a character in the place of bytes that are not UTF-8. */
function isUtf8(path: string, root: string): boolean {
  if (!root.includes("\uFFFD")) return true;
  return realpathSync.native(path, { encoding: "buffer" }).equals(Buffer.from(root));
}

async function checkOwner(root: string): Promise<void> {
  const facts = await nodeFileSystem.stat(root).catch((error: unknown) => {
    throw unreadable(root, error);
  });
  const user = process.geteuid?.();
  const owner = Number(facts.uid);
  const mode = Number(facts.mode);
  if (user !== undefined && owner !== user) {
    throw new RuntimeError({
      code: "HOME_FOREIGN_OWNER",
      message: `refusing the home ${root}: it belongs to user ${owner}, and this is user ${user}`,
      details: { path: root, owner, user },
      hint: "use a home of your own with --home, or run as its owner",
    });
  }
  if ((mode & writableByOthers) !== 0) {
    throw new RuntimeError({
      code: "HOME_WRITABLE_BY_OTHERS",
      message: `refusing the home ${root}: other users can write to it (mode ${(mode & 0o7777).toString(8)})`,
      details: { path: root, mode: mode & 0o7777 },
      hint: `take the permission away with "chmod go-w ${root}"`,
    });
  }
}

async function readVersion(home: HomeLayout): Promise<number | undefined> {
  let text: string;
  try {
    text = readFileSync(home.version, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw unreadable(home.version, error);
  }
  const version = /^[1-9]\d{0,8}\n?$/.test(text.slice(0, maxVersionBytes)) ? Number(text) : 0;
  if (version === 0) {
    throw new RuntimeError({
      code: "HOME_VERSION_INVALID",
      message: `the version file ${home.version} of the home is damaged: expected a number`,
      details: { path: home.version },
      hint: `write ${homeFormat} into it if this home was made by this version of box`,
    });
  }
  if (version > homeFormat) {
    throw new RuntimeError({
      code: "HOME_TOO_NEW",
      message: `the home ${home.root} has format ${version}, and this version of box knows formats up to ${homeFormat}`,
      details: { path: home.root, found: version, supported: homeFormat },
      hint: "use the version of box that made it, or another home with --home",
    });
  }
  return version;
}

/**
 * A folder with other things in it was hardly meant. What an interrupted first start leaves is let through.
 *
 * @returns The version that another process wrote meanwhile: what it has put there since is no strange thing.
 */
async function checkUnused(home: HomeLayout): Promise<number | undefined> {
  const names = await readdir(home.root).catch((error: unknown) => {
    throw unreadable(home.root, error);
  });
  const strange = names.find((name) => !knownEntries.has(name) && !name.startsWith(".tmp-"));
  if (strange === undefined) return undefined;
  const version = await readVersion(home);
  if (version !== undefined) return version;
  throw new RuntimeError({
    code: "HOME_NOT_EMPTY",
    message: `cannot start a home in ${home.root}: it has other things in it, such as ${strange}`,
    details: { path: home.root, found: strange },
    hint: "give an empty or a new folder with --home",
  });
}

async function startHome(home: HomeLayout): Promise<void> {
  await chmod(home.root, 0o700).catch((error: unknown) => {
    throw toIoError(error, { action: "cannot set the mode of", path: home.root });
  });
  await writeFileDurably(home.version, `${homeFormat}\n`);
}

function unreadable(path: string, error: unknown): RuntimeError | IoError {
  const cause = toIoError(error, { action: "cannot use the home", path });
  if (cause.code !== "IO_FAILED" && cause.code !== "IO_NOT_FOUND") return cause;
  return new RuntimeError({
    code: "HOME_UNREADABLE",
    message: cause.message,
    details: { ...cause.details, path },
    hint: "make it readable and writable for this user, or give another folder with --home",
    cause,
  });
}

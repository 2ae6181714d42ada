import { lstat, mkdir, readFile } from "node:fs/promises";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { isBoxError } from "@box/errors";
import { IoError } from "@box/io";
import {
  acquireLock,
  errnoOf,
  isProcessAlive,
  type Lock,
  type LockHolder,
  processIdentity,
  toIoError,
} from "@box/io/node";
import { CliError } from "../errors.ts";

/** The file that a writer locks. */
export interface WrittenFile {
  /** As the user wrote it. */
  readonly file: string;
  /** Device and inode in decimal, `DEV:INO`, as `openFile` names a file: links to one file are one file. */
  readonly identity: string;
}

/** Options of {@link lockWriter}. */
export interface LockWriterOptions {
  /** What this process does, told to those who find the file locked. */
  readonly command?: string;
  /** The system that runs this process; injected in tests. */
  readonly platform?: NodeJS.Platform;
  /** Where lock files are on systems that need them; a folder of this user below `/tmp` unless given. */
  readonly folder?: string;
}

/**
 * Takes the lock of whoever changes a file in place, among all processes of box, at once or not at all.
 *
 * It leaves no file beside the locked one and is freed by the kernel when its process dies. It says nothing to programs
 * that do not ask for it, such as QEMU.
 *
 * On Linux and Windows it is a name that only one process can listen on: an abstract socket, seen by all users of one
 * network namespace, or a pipe. Elsewhere it is a lock file in a folder of the user below `/tmp`.
 *
 * @throws CliError `CLI_FILE_IN_USE`, with the pid in `details` where that is told; IoError when no lock can be had.
 */
export async function lockWriter(
  { file, identity }: WrittenFile,
  options: LockWriterOptions = {},
): Promise<Lock> {
  const { command = "", platform = process.platform, folder } = options;
  const name = socketName(identity, platform);
  if (name === undefined) return lockFile({ file, identity }, command, folder);
  const holder: LockHolder = { ...processIdentity(), command };
  try {
    return await listen(name, JSON.stringify(holder));
  } catch (error) {
    if (errnoOf(error) === "EADDRINUSE") throw beingChanged(file, await askHolder(name));
    throw toIoError(error, { action: "cannot lock", path: file });
  }
}

/**
 * Whether a process holds the lock of {@link lockWriter} on a file. Another may take it right after; false where that cannot
 * be told.
 */
export async function hasWriter(
  identity: string,
  { platform = process.platform, folder }: Pick<LockWriterOptions, "platform" | "folder"> = {},
): Promise<boolean> {
  const name = socketName(identity, platform);
  if (name !== undefined) return isListenedOn(name);
  try {
    const holder = await readFile(`${await lockFileOf(identity, folder)}.holder`, "utf8");
    return isProcessAlive(JSON.parse(holder) as LockHolder);
  } catch {
    return false;
  }
}

function socketName(identity: string, platform: NodeJS.Platform): string | undefined {
  const name = `box-writer-${identity.replace(":", "-")}`;
  if (platform === "linux") return `\0${name}`;
  return platform === "win32" ? `\\\\?\\pipe\\${name}` : undefined;
}

async function listen(name: string, greeting: string): Promise<Lock> {
  const asking = new Set<Socket>();
  const server = createServer((socket) => {
    asking.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => asking.delete(socket));
    socket.unref();
    socket.end(greeting);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    // Of a cluster's workers, each is a process of its own.
    server.listen({ path: name, exclusive: true }, resolve);
  });
  server.unref();
  const release = async (): Promise<void> => {
    for (const socket of asking) socket.destroy();
    await closed(server);
  };
  return { release, [Symbol.asyncDispose]: release };
}

/** Closing twice does nothing. */
function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Whether a process listens; looking must not keep anybody from it. */
function isListenedOn(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path: name }, () => {
      socket.destroy();
      resolve(true);
    });
    // It is full of those who ask.
    socket.on("error", (error) => resolve(errnoOf(error) === "EAGAIN"));
  });
}

const maxAnswerBytes = 4096;
const maxAnswerMs = 500;

/** Asks who holds a lock; no answer in time, or one that is none, is no reason to fail. */
async function askHolder(name: string): Promise<LockHolder | undefined> {
  const answer = await new Promise<string>((resolve) => {
    const socket = createConnection({ path: name });
    let text = "";
    socket.setEncoding("utf8");
    socket.setTimeout(maxAnswerMs, () => socket.destroy());
    socket.on("data", (part) => {
      text += part;
      if (text.length > maxAnswerBytes) socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
  });
  return parseHolder(answer);
}

/** Any process may listen on the name, so that what it says is checked; a pid of elsewhere means nothing here. */
function parseHolder(answer: string): LockHolder | undefined {
  try {
    const holder = JSON.parse(answer) as LockHolder;
    const { pid, command, pidNamespace } = holder;
    const isSound =
      Number.isSafeInteger(pid) &&
      /^[\x20-\x7e]{0,80}$/.test(command) &&
      pidNamespace === processIdentity().pidNamespace;
    return isSound ? holder : undefined;
  } catch {
    return undefined;
  }
}

async function lockFile(
  { file, identity }: WrittenFile,
  command: string,
  folder: string | undefined,
): Promise<Lock> {
  try {
    return await acquireLock(await lockFileOf(identity, folder), { command, timeoutMs: 0 });
  } catch (error) {
    if (!isBoxError(error) || error.code !== "IO_LOCK_HELD") throw error;
    throw beingChanged(file, error.details["holder"] as LockHolder | undefined);
  }
}

/** The lock file where names cannot be listened on, in a folder that nobody else can write to. */
async function lockFileOf(
  identity: string,
  folder = `/tmp/box-writers-${process.getuid?.()}`,
): Promise<string> {
  await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
    if (errnoOf(error) !== "EEXIST")
      throw toIoError(error, { action: "cannot make", path: folder });
  });
  const facts = await lstat(folder);
  if (!facts.isDirectory() || facts.uid !== process.getuid?.() || (facts.mode & 0o022) !== 0) {
    throw new IoError({
      code: "IO_FAILED",
      message: `cannot keep locks in ${folder}: it is not a folder that only this user can write to`,
      details: { path: folder },
      hint: "remove it",
    });
  }
  return join(folder, `${identity.replace(":", "-")}.lock`);
}

function beingChanged(file: string, holder: LockHolder | undefined): CliError {
  const { pid, command = "" } = holder ?? {};
  const process = `process ${pid}${command === "" ? "" : ` (${command})`}`;
  return new CliError({
    code: "CLI_FILE_IN_USE",
    message: `${file} is in use by ${pid === undefined ? "another box" : process}, which changes it`,
    details: { file, ...(pid !== undefined && { pid, command }) },
    hint: "wait for that command to end, then try again",
  });
}

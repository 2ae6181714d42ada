// What is imported here is asked of Node.js when it is called: this is read by Node.js of every age.

/** Code that Node.js compiled in earlier runs of a command. */
export interface KeptCode {
  /** How often it was kept. */
  readonly times: number;
  /** What was compiled of files of the program, by what says which. */
  readonly codes: ReadonlyMap<string, Uint8Array>;
}

const writableByOthers = 0o022;
const digestBytes = 32;
const lengthBytes = 4;
const maxFileBytes = 64 * 2 ** 20;

/**
 * The folder for compiled code, below box's own cache folder.
 *
 * Whoever can write there can make this process run what he likes: without a folder that is this user's alone, nothing is kept.
 */
export function keptCodeFolder(
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const { lstatSync, mkdirSync, statSync } = process.getBuiltinModule("node:fs");
  const { HOME, XDG_CACHE_HOME } = env;
  const cache = XDG_CACHE_HOME?.startsWith("/") ? XDG_CACHE_HOME : HOME && `${HOME}/.cache`;
  if (!cache?.startsWith("/")) return undefined;
  const folder = `${cache}/box/code`;
  try {
    for (const path of [cache, `${cache}/box`, folder]) {
      if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue;
      // A home that does not exist is not made: some users have none. And who runs this with another's home, as by sudo, leaves it alone.
      if (statSync(dirname(path)).uid !== process.geteuid?.()) return undefined;
      mkdirSync(path, { mode: 0o700 });
    }
    return [`${cache}/box`, folder].every((path) => isOwn(lstatSync(path))) ? folder : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Reads what {@link writeKeptCode} wrote: a digest, the length of the list and the list in JSON, and the codes in its order.
 *
 * @returns Nothing when there is none, or when it is not what was written: V8 does not look at it, and would go wrong.
 */
export function readKeptCode(path: string): KeptCode | undefined {
  const { constants, closeSync, fstatSync, openSync, readSync } =
    process.getBuiltinModule("node:fs");
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stats = fstatSync(fd);
    const { size } = stats;
    if (size < digestBytes + lengthBytes || size > maxFileBytes) return undefined;
    // Asked of the open file: who can rename the folder may have put another in its place by now.
    if (!isOwn(stats)) return undefined;
    const bytes = Buffer.allocUnsafe(size);
    if (readSync(fd, bytes) !== size) return undefined;
    const content = bytes.subarray(digestBytes);
    if (!digestOf(content).equals(bytes.subarray(0, digestBytes))) return undefined;
    let at = lengthBytes + content.readUInt32LE(0);
    const list = JSON.parse(content.toString("utf8", lengthBytes, at)) as KeptList;
    const codes = new Map<string, Uint8Array>();
    for (const [name, length] of list.codes) {
      codes.set(name, content.subarray(at, at + length));
      at += length;
    }
    return { times: list.times, codes };
  } catch {
    // A cache only saves time.
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

interface KeptList {
  readonly times: number;
  readonly codes: readonly (readonly [name: string, length: number])[];
}

/** Keeps code for later runs; whoever reads the file meanwhile has the old one or the new. */
export function writeKeptCode(path: string, { times, codes }: KeptCode): void {
  const { closeSync, fsyncSync, openSync, renameSync, unlinkSync, writeSync } =
    process.getBuiltinModule("node:fs");
  const list: KeptList = {
    times,
    codes: Array.from(codes, ([name, code]) => [name, code.byteLength] as const),
  };
  const json = Buffer.from(JSON.stringify(list));
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32LE(json.byteLength);
  const content = Buffer.concat([length, json, ...codes.values()]);
  if (digestBytes + content.byteLength > maxFileBytes) return;
  const bytes = Buffer.concat([digestOf(content), content]);
  // One name for all: what a killed run left goes with the next, and of two at once one gives way: what is torn has not its digest.
  const temporary = `${path}.tmp`;
  try {
    const fd = openSync(temporary, "wx", 0o600);
    try {
      for (let done = 0; done < bytes.byteLength; ) done += writeSync(fd, bytes, done);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch {
    try {
      unlinkSync(temporary);
    } catch {
      // It was never made, or another has it.
    }
  }
}

/** Whether only this user could have written it. */
function isOwn({ uid, mode }: { readonly uid: number; readonly mode: number }): boolean {
  return uid === process.geteuid?.() && (mode & writableByOthers) === 0;
}

function dirname(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function digestOf(bytes: Uint8Array): Buffer {
  return process.getBuiltinModule("node:crypto").hash("sha256", bytes, "buffer");
}

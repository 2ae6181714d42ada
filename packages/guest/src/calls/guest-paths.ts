import type { CallBatch, Word } from "./call-batch.ts";
import { CallFailure, invalidArgument } from "./call-failure.ts";

/** Flags that are the same on all architectures: what else they tell apart is said by {@link resolveBelow} and by a slash behind a name. */
export const openFlags = {
  read: 0,
  write: 0o1,
  create: 0o100,
  exclusive: 0o200,
  nonBlocking: 0o4000,
  closeOnExec: 0o2_000_000,
} as const;

/** `AT_FDCWD`: names are looked up from the root folder. */
export const fromRoot = -100;
/** `AT_SYMLINK_NOFOLLOW`. */
export const noFollow = 0x100;
/** `AT_EMPTY_PATH`: the descriptor itself. */
export const itself = 0x1000;
/** `RESOLVE_NO_SYMLINKS` and `RESOLVE_BENEATH`: no link leads anywhere, and nothing leads out. */
export const resolveBelow = 0x0c;

const howBytes = 24;

/** Opens what a name means. @param below - Follows no link, and stays below the folder. */
export function open(
  batch: CallBatch,
  folder: Word | number,
  name: Uint8Array | string,
  options: {
    readonly flags: number;
    readonly mode?: number;
    readonly below?: boolean;
    readonly into: Word;
    readonly what: string;
    readonly path: Uint8Array;
  },
): number {
  const { flags, mode = 0, below = true, into, what, path } = options;
  const how = batch.numbers(flags | openFlags.closeOnExec, mode, below ? resolveBelow : 0);
  const values = [folder, batch.text(name), how, howBytes];
  return batch.call("openat2", values, { into, what, path });
}

/** @throws CallFailure when it is not the absolute path of something. */
export function requireAbsolute(path: string): void {
  if (path.startsWith("/") && !path.includes("\0")) return;
  throw new CallFailure("invalid", invalidArgument, "the path is not absolute");
}

/** A name as bytes with a slash behind it: only a folder has that. */
export function asFolder(path: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(path.byteLength + 1);
  bytes.set(path);
  bytes[path.byteLength] = slash;
  return bytes;
}

/** Two paths with a slash between them. */
export function joinPaths(folder: Uint8Array, name: Uint8Array): Uint8Array {
  if (folder.byteLength === 0) return name;
  const bytes = new Uint8Array(folder.byteLength + 1 + name.byteLength);
  bytes.set(asFolder(folder));
  bytes.set(name, folder.byteLength + 1);
  return bytes;
}

/** The folder that a path is in, empty when it has none, and the last part of it. */
export function splitPath(path: Uint8Array): readonly [folder: Uint8Array, name: Uint8Array] {
  const at = path.lastIndexOf(slash);
  return [path.subarray(0, Math.max(at, 0)), path.subarray(at + 1)];
}

/** Whether two paths are the same. */
export function samePath(one: Uint8Array, other: Uint8Array): boolean {
  return one.byteLength === other.byteLength && one.every((byte, index) => byte === other[index]);
}

const slash = 0x2f;

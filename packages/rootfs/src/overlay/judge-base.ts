import {
  displayPath,
  errnoOf,
  type FilePath,
  type FileSystem,
  openFile,
  toIoError,
} from "@box/io/node";
import type { BaseState } from "./facts.ts";

/** What was found where the base should be. */
export interface BaseFinding {
  /** The verdict. */
  readonly state: BaseState;
  /** The path that was looked at, for people; none when no base is known. */
  readonly path?: string;
  /** Size of the file in bytes, when it is present. */
  readonly sizeBytes?: number;
  /** What is wrong, for people. */
  readonly reason?: string;
  /** The error behind `io-error`. */
  readonly cause?: unknown;
}

/** A base to look for. Without a size any size is right. */
export interface WantedBase {
  /** Where it should be. */
  readonly path: FilePath;
  /** How large it should be. */
  readonly sizeBytes?: number;
}

/**
 * Says whether the content of a base is as recorded, in no time where its file is the one that was verified before; nothing
 * where no content is recorded.
 *
 * @throws IoError when it cannot be read.
 */
export type IsBaseSound = (path: string) => Promise<boolean | undefined>;

const probeBytes = 4096;

/**
 * Looks for a base disk: its type and size, whether it can be read at all (its first block is read), and what `isSound` says
 * about its content.
 *
 * Missing is "no such file" and nothing else. Unlike for an overlay a lost folder counts as missing too: both refuse,
 * and the path to restore is the same. Changes nothing and never throws.
 */
export async function judgeBase(
  fs: FileSystem,
  wanted: WantedBase | undefined,
  isSound?: IsBaseSound,
): Promise<BaseFinding> {
  if (wanted === undefined) return { state: "not-recorded" };
  const path = displayPath(wanted.path);
  try {
    const facts = await fs.stat(wanted.path);
    if (!facts.isFile()) return { state: "not-regular", path, reason: "it is not a regular file" };
    if (wanted.sizeBytes !== undefined && Number(facts.size) !== wanted.sizeBytes) {
      const reason = `it has ${facts.size} bytes, ${wanted.sizeBytes} are recorded`;
      return { state: "other-size", path, reason };
    }
    await readFirst(fs, wanted.path);
    if (typeof wanted.path === "string" && (await isSound?.(wanted.path)) === false) {
      return { state: "other-content", path, reason: "its content is not what is recorded" };
    }
    return { state: "present", path, sizeBytes: Number(facts.size) };
  } catch (error) {
    if (isNoSuchFile(error)) return { state: "missing", path };
    const cause = toIoError(error, { action: "cannot read", path });
    return { state: "io-error", path, reason: cause.message, cause };
  }
}

async function readFirst(fs: FileSystem, path: FilePath): Promise<void> {
  await using file = await openFile(path, { fs });
  await file.read(0, probeBytes);
}

/** `ENOENT` of a system call, or of `@box/io/node`. */
function isNoSuchFile(error: unknown): boolean {
  const details = (error as { details?: { errno?: unknown } }).details;
  return errnoOf(error) === "ENOENT" || details?.errno === "ENOENT";
}

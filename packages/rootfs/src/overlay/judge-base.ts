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

const probeBytes = 4096;

/**
 * Looks for a base disk: its type and size, and whether it can be read at all (its first block is read).
 *
 * Missing is "no such file" and nothing else. Unlike for an overlay a lost folder counts as missing too: both refuse,
 * and the path to restore is the same. Changes nothing and never throws.
 */
export async function judgeBase(
  fs: FileSystem,
  wanted: WantedBase | undefined,
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
    await using file = await openFile(wanted.path, { fs });
    await file.read(0, probeBytes);
    return { state: "present", path, sizeBytes: Number(facts.size) };
  } catch (error) {
    if (isNoSuchFile(error)) return { state: "missing", path };
    const cause = toIoError(error, { action: "cannot read", path });
    return { state: "io-error", path, reason: cause.message, cause };
  }
}

/** `ENOENT` of a system call, or of `@box/io/node`. */
function isNoSuchFile(error: unknown): boolean {
  const details = (error as { details?: { errno?: unknown } }).details;
  return errnoOf(error) === "ENOENT" || details?.errno === "ENOENT";
}

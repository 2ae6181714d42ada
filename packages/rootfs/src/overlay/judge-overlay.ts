import { dirname } from "node:path";
import { type ErrorKind, isBoxError, kindOf } from "@box/errors";
import type { OpenFile } from "@box/io";
import {
  displayPath,
  type FileSystem,
  isLocked,
  openFile,
  type ReadFileLocks,
  toIoError,
} from "@box/io/node";
import { checkStructure, type ImageInfo } from "@box/qcow2";
import type { OverlayState } from "./facts.ts";
import type { RecordedBase } from "./record.ts";

/** How much work judging one overlay may be. */
export interface OverlayLimits {
  /** Most bytes of tables held in memory at once; what `@box/qcow2` allows by default. */
  readonly maxMetadataBytes?: number;
  /** Longest time in milliseconds; 30,000 unless given. */
  readonly timeoutMs?: number;
  /** The clock that the time is measured with, in milliseconds; the process's unless given. */
  readonly now?: () => number;
}

/** What was found where the overlay should be. */
export interface OverlayFinding {
  /** The verdict. */
  readonly state: OverlayState;
  /** Which rule was broken: a code of the package that found it. */
  readonly code?: string;
  /** What is wrong, for people. */
  readonly reason?: string;
  /** Where in the file, in bytes. */
  readonly offset?: number;
  /** The error behind the verdict. */
  readonly cause?: unknown;
  /** Device and inode of the file that was judged, when it could be opened. */
  readonly identity?: string;
  /** What the image says about itself, when it is sound. */
  readonly image?: ImageInfo;
}

/** What {@link judgeOverlay} needs to know. */
export interface JudgeOverlayOptions {
  /** The file system calls. */
  readonly fs: FileSystem;
  /** The kernel's list of file locks. */
  readonly readLocks: ReadFileLocks;
  /** The base that the state records; `undefined` when it records that there is none. */
  readonly recorded: { readonly base: RecordedBase | undefined } | undefined;
  /** How much work it may be. */
  readonly limits: OverlayLimits;
  /** Stops judging. */
  readonly signal?: AbortSignal;
}

const defaultTimeoutMs = 30_000;

/**
 * Judges the overlay at a path. Opens it for reading only, follows no symbolic link, changes nothing.
 *
 * An error that says nothing about the content never becomes `corrupt`: I/O errors of any layer are `io-error`, and
 * what has no name is `unknown`.
 *
 * @throws only when `signal` stops it.
 */
export async function judgeOverlay(
  path: string,
  options: JudgeOverlayOptions,
): Promise<OverlayFinding> {
  options.signal?.throwIfAborted();
  let file: OpenFile;
  try {
    file = await openFile(path, { fs: options.fs, followLink: false });
  } catch (error) {
    return (await judgeAbsence(path, error, options.fs)) ?? findingOf(error);
  }
  try {
    return await judgeFile(path, file, options).catch(findingOf);
  } finally {
    await file.close().catch(() => {});
  }
}

/** Only "no such file" in a folder that exists is absent: a lost folder may be a disk that is not mounted. */
async function judgeAbsence(
  path: string,
  error: unknown,
  fs: FileSystem,
): Promise<OverlayFinding | undefined> {
  if (!isBoxError(error) || error.code !== "IO_NOT_FOUND") return undefined;
  const folder = dirname(path);
  try {
    await fs.stat(folder);
    return { state: "absent" };
  } catch (cause) {
    const failed = toIoError(cause, { action: "cannot look into the folder", path: folder });
    return { state: "io-error", code: failed.code, reason: failed.message, cause: failed };
  }
}

async function judgeFile(
  path: string,
  file: OpenFile,
  options: JudgeOverlayOptions,
): Promise<OverlayFinding> {
  const identity = file.identity?.() ?? "";
  const held = { state: "in-use", reason: "a live process holds it", identity } as const;
  if (isLocked(await options.readLocks(), identity)) return held;
  const content = await judgeContent(path, file, options).catch(findingOf);
  // A process that opened it meanwhile may have changed it between two reads: what looked corrupt may not be.
  if (content.state === "corrupt" && isLocked(await options.readLocks(), identity)) return held;
  return { ...content, identity };
}

async function judgeContent(
  path: string,
  file: OpenFile,
  options: JudgeOverlayOptions,
): Promise<OverlayFinding> {
  const { signal, limits } = options;
  const { timeoutMs = defaultTimeoutMs, now = () => performance.now(), ...rest } = limits;
  const endsAt = now() + timeoutMs;
  const { info: image } = await checkStructure(file, {
    ...rest,
    deadline: () => now() >= endsAt,
    ...(signal === undefined ? {} : { signal }),
  });
  const foreign = findForeignFeature(image);
  if (foreign !== undefined) return { ...unsupported(foreign), image };
  return { ...judgeBacking(path, image, options.recorded), image };
}

/** What QEMU could do and no disk of a box does: following it would open files that the state does not know. */
function findForeignFeature(image: ImageInfo): string | undefined {
  if (image.dataFile !== undefined) return "it keeps its data in another file";
  return image.encryption === "none" ? undefined : "it is encrypted";
}

/** Compares what a sound overlay says about its backing file with the record. */
function judgeBacking(
  path: string,
  image: ImageInfo,
  recorded: { readonly base: RecordedBase | undefined } | undefined,
): OverlayFinding {
  const { backing } = image;
  if (backing === undefined) {
    const isRecorded = recorded !== undefined && recorded.base === undefined;
    const reason = "it names no backing file";
    return isRecorded ? { state: "sound" } : { state: "sound-no-backing", reason };
  }
  const name = backing.displayName;
  if (recorded === undefined && protocol.test(name)) {
    return unsupported(`its backing file ${name} is not a file`);
  }
  if (recorded?.base !== undefined && backing.name === undefined) {
    const reason = "its backing file name is not UTF-8";
    return { state: "corrupt", code: "OVERLAY_CORRUPT", reason, offset: backing.nameOffset };
  }
  const named = displayPath(backingPath(path, backing.nameBytes));
  if (recorded !== undefined && named !== recorded.base?.path) {
    return { state: "sound-other-backing", reason: `it names the backing file ${name}` };
  }
  if (backing.format === undefined || backing.format !== (recorded?.base ?? backing).format) {
    const format = backing.format === undefined ? "no backing format" : `format ${backing.format}`;
    return { state: "sound-other-format", reason: `it states ${format} for its backing file` };
  }
  return { state: "sound" };
}

const slash = 0x2f;

/** A backing name as a path: a relative one counts from the folder of the overlay, as QEMU counts it. */
export function backingPath(overlayPath: string, name: Uint8Array): Uint8Array {
  return name[0] === slash ? name : Buffer.concat([Buffer.from(`${dirname(overlayPath)}/`), name]);
}

/** QEMU takes a name that begins like this (`nbd:`, `json:`) for something else than a path. */
const protocol = /^[A-Za-z0-9+.-]+:/;

function unsupported(reason: string): OverlayFinding {
  return { state: "unsupported", code: "OVERLAY_UNSUPPORTED", reason };
}

/** Turns what reading threw into a verdict. Kinds decide; what is not known is `unknown`. */
function findingOf(error: unknown): OverlayFinding {
  const kind = kindOf(error);
  if (kind === "aborted") throw error;
  const details: Readonly<Record<string, unknown>> = isBoxError(error) ? error.details : {};
  const { offset } = details;
  return {
    state: statesByKind[kind] ?? "unknown",
    ...(isBoxError(error) ? { code: error.code } : {}),
    reason: error instanceof Error ? error.message : String(error),
    ...(typeof offset === "number" ? { offset } : {}),
    cause: error,
  };
}

const statesByKind: Readonly<Partial<Record<ErrorKind, OverlayState>>> = {
  io: "io-error",
  "not-found": "io-error",
  "no-space": "io-error",
  "read-only": "io-error",
  denied: "io-error",
  corrupt: "corrupt",
  unsupported: "unsupported",
  encrypted: "unsupported",
  limit: "limit",
  timeout: "limit",
  "in-use": "in-use",
};

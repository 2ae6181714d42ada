import { dirname } from "node:path";
import { type ErrorKind, isBoxError, kindOf } from "@box/errors";
import type { OpenFile } from "@box/io";
import { type FileSystem, isLocked, openFile, toIoError } from "@box/io/node";
import type { OverlayState } from "./facts.ts";
import type { JudgeOverlayOptions, OverlayFinding } from "./overlay-finding.ts";

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
  // Loaded when it is needed: a new box has no overlay yet.
  const { judgeContent } = await import("./judge-content.ts");
  const content = await judgeContent(path, file, options).catch(findingOf);
  // A process that opened it meanwhile may have changed it between two reads: what looked corrupt may not be.
  if (content.state === "corrupt" && isLocked(await options.readLocks(), identity)) return held;
  return { ...content, identity };
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

import { createFileDurably, type FileSystem, openFile, toIoError } from "@box/io/node";
import { createOverlay } from "@box/qcow2";
import { RootfsError } from "../errors.ts";
import type { RecordedBase } from "./record.ts";

/** A base disk to make overlays on: a raw image, read-only once it has its name. */
export interface OverlayBase {
  /** Where it is. The canonical form of this path is written into overlays. */
  readonly path: string;
  /** Its size in bytes. */
  readonly sizeBytes: number;
}

/** An overlay that was just made. */
export interface CreatedOverlay {
  /** The base as the state should record it. */
  readonly base: RecordedBase;
  /** Size of the virtual disk in bytes. */
  readonly virtualSizeBytes: number;
}

/**
 * Checks a base that an overlay is to be made on, and finds its canonical path.
 *
 * @throws RootfsError `OVERLAY_BACKING_MISSING` when it is not there, or not as told; `OVERLAY_BACKING_IO`.
 */
export async function resolveBase(fs: FileSystem, base: OverlayBase): Promise<RecordedBase> {
  let path: string;
  let sizeBytes: number;
  try {
    path = await fs.realpath(base.path);
    await using file = await openFile(path, { fs });
    const wanted = await fs.stat(base.path);
    // A path that is not UTF-8 comes back from realpath as another one.
    if (file.identity?.() !== `${wanted.dev}:${wanted.ino}`) throw notCanonical(base.path, path);
    sizeBytes = await file.size();
  } catch (error) {
    if (error instanceof RootfsError) throw error;
    throw baseLost(base.path, error);
  }
  if (sizeBytes !== base.sizeBytes) throw otherSize(path, sizeBytes, base.sizeBytes);
  return { path, sizeBytes, format: "raw" };
}

/**
 * Makes an overlay: whole under its name or not there at all, and never in the place of another file.
 *
 * @param virtualSizeBytes - Size of the disk; the base's unless given.
 * @throws RootfsError `OVERLAY_TOO_SMALL`; IoError; Qcow2Error when the path of the base is too long.
 */
export async function createOnBase(
  fs: FileSystem,
  path: string,
  base: RecordedBase,
  options: { readonly virtualSizeBytes?: number; readonly signal?: AbortSignal } = {},
): Promise<CreatedOverlay> {
  const { virtualSizeBytes = base.sizeBytes, signal } = options;
  if (virtualSizeBytes < base.sizeBytes) throw tooSmall(path, virtualSizeBytes, base);
  await createFileDurably(
    path,
    (file) =>
      createOverlay(file, {
        virtualSizeBytes,
        backingName: base.path,
        backingFormat: base.format,
      }),
    { fs, exclusive: true, blocking: true, ...(signal === undefined ? {} : { signal }) },
  );
  return { base, virtualSizeBytes };
}

function baseLost(path: string, error: unknown): RootfsError {
  const cause = toIoError(error, { action: "cannot use the base disk", path });
  return new RootfsError({
    code: cause.code === "IO_NOT_FOUND" ? "OVERLAY_BACKING_MISSING" : "OVERLAY_BACKING_IO",
    message: cause.message,
    details: { ...cause.details, basePath: path },
    hint: "make the base disk again, or find out why it cannot be read",
    cause,
  });
}

function otherSize(path: string, found: number, expected: number): RootfsError {
  return new RootfsError({
    code: "OVERLAY_BACKING_MISSING",
    message: `cannot use the base disk ${path}: it has ${found} bytes, expected ${expected}`,
    details: { basePath: path, found, expected },
    hint: "make the base disk again",
  });
}

function notCanonical(path: string, canonical: string): RootfsError {
  return new RootfsError({
    code: "OVERLAY_BACKING_IO",
    message: `cannot use the base disk ${path}: its canonical path ${canonical} is another file`,
    details: { basePath: path },
    hint: "move it to a path whose folders all have UTF-8 names",
  });
}

function tooSmall(path: string, wanted: number, base: RecordedBase): RootfsError {
  return new RootfsError({
    code: "OVERLAY_TOO_SMALL",
    message: `cannot make overlay ${path} of ${wanted} bytes: its base ${base.path} has ${base.sizeBytes}`,
    details: { path, basePath: base.path, found: wanted, minimum: base.sizeBytes },
    hint: `ask for at least ${base.sizeBytes} bytes`,
  });
}

import { RootfsError } from "../errors.ts";
import type { OverlayRefusalCode } from "./decide.ts";
import type { DiskRole } from "./facts.ts";
import type { OverlayReading } from "./read-facts.ts";

/** What a refusal is about. */
export interface RefusedDisk {
  /** Path of the overlay. */
  readonly path: string;
  /** Whose disk it is. */
  readonly role: DiskRole;
  /** The box's name as its user knows it, for the commands in hints. */
  readonly boxName?: string;
}

/** A refusal's words. */
interface Wording {
  readonly message: string;
  readonly hint: string;
  /** Whether the same call may succeed later without any change. */
  readonly retryable?: boolean;
}

/**
 * Makes the error of a refusal from what was read.
 *
 * @param cause - The error behind it, where it is not the one that the reading found.
 */
export function refusalOf(
  code: OverlayRefusalCode,
  disk: RefusedDisk,
  reading: OverlayReading,
  cause?: unknown,
): RootfsError {
  const { overlay, base } = reading;
  const isAboutBase = code === "OVERLAY_BACKING_IO" || code === "OVERLAY_BACKING_MISSING";
  const { message, hint, retryable } = wordings[code](namesOf(disk, reading, cause));
  return new RootfsError({
    code,
    message,
    hint,
    retryable: retryable ?? false,
    details: {
      path: disk.path,
      disk: disk.role,
      ...(base.path === undefined ? {} : { basePath: base.path }),
      ...(!isAboutBase && overlay.code !== undefined ? { reasonCode: overlay.code } : {}),
      ...(!isAboutBase && overlay.reason !== undefined ? { reason: overlay.reason } : {}),
      ...(!isAboutBase && overlay.offset !== undefined ? { offset: overlay.offset } : {}),
      ...(isAboutBase && base.reason !== undefined ? { reason: base.reason } : {}),
    },
    cause: cause ?? (isAboutBase ? base.cause : overlay.cause),
  });
}

/** The parts of the sentences. */
interface Names {
  /** `guest rootfs PATH` or `disk PATH`. */
  readonly disk: string;
  readonly path: string;
  readonly box: string;
  /** The command that makes the disk again. */
  readonly again: string;
  readonly base: string;
  /** What is wrong with the overlay. */
  readonly reason: string;
  /** What is wrong with the base, with a leading space and in parentheses; or nothing. */
  readonly baseReason: string;
  /** What else went wrong. */
  readonly failure: string;
}

function namesOf(disk: RefusedDisk, { overlay, base }: OverlayReading, cause: unknown): Names {
  const box = disk.boxName ?? "NAME";
  return {
    disk: `${disk.role === "guest" ? "guest rootfs" : "disk"} ${disk.path}`,
    path: disk.path,
    box,
    again: `box prepare ${box}${disk.role === "user" ? " --recreate-disk" : ""}`,
    base: base.path ?? "",
    reason: overlay.reason ?? "no reason is known",
    baseReason: base.reason === undefined ? "" : ` (${base.reason})`,
    failure: cause instanceof Error ? cause.message : String(cause),
  };
}

const wordings: Readonly<Record<OverlayRefusalCode, (names: Names) => Wording>> = {
  OVERLAY_IO: ({ disk, reason }) => ({
    message: `cannot read ${disk} to validate its backing chain (I/O error: ${reason}); refusing to discard a possibly-intact overlay`,
    hint: "nothing was changed: find out why the file cannot be read, and try again",
    retryable: true,
  }),
  OVERLAY_MISSING: ({ disk, again }) => ({
    message: `${disk} is missing, although it was made before`,
    hint: `put the file back, or make an empty disk with "${again}"`,
  }),
  OVERLAY_BACKING_IO: ({ disk, base, baseReason }) => ({
    message: `cannot read the backing file ${base} of ${disk}${baseReason}; refusing to discard a possibly-intact overlay`,
    hint: "nothing was changed: find out why the backing file cannot be read, and try again",
    retryable: true,
  }),
  OVERLAY_BACKING_MISSING: ({ disk, box, base, baseReason }) => ({
    message: `${disk} has missing backing file: ${base}${baseReason}; the box cannot start until the backing file is restored`,
    hint: `make the backing file again with "box rootfs restore ${box}"; the overlay was not touched`,
  }),
  OVERLAY_BACKING_MISMATCH: ({ disk, base, reason }) => ({
    message: `${disk} does not belong to its record: ${reason}${base === "" ? "" : `, expected ${base} in its recorded format`}`,
    hint: "nothing was changed: something other than box wrote to this overlay; look at it with box disk info",
  }),
  OVERLAY_CORRUPT: ({ disk, path, again, reason }) => ({
    message: `${disk} is corrupt: ${reason}`,
    hint: `look at it with "box disk info ${path}", or make an empty disk with "${again}" (the old file is kept in quarantine)`,
  }),
  OVERLAY_QUARANTINE_FAILED: ({ disk, reason, failure }) => ({
    message: `cannot move the corrupt ${disk} (${reason}) into quarantine: ${failure}`,
    hint: "nothing was removed: make the quarantine folder writable, and try again",
    retryable: true,
  }),
  OVERLAY_UNSUPPORTED: ({ disk, reason }) => ({
    message: `cannot judge ${disk}: ${reason}; refusing to discard a possibly-intact overlay`,
    hint: "nothing was changed: use the tool or the version of box that made it",
  }),
  OVERLAY_LIMIT: ({ disk, path, reason }) => ({
    message: `cannot judge ${disk}: ${reason}; refusing to discard a possibly-intact overlay`,
    hint: `nothing was changed: it holds more metadata than box checks before a start; look at it with "box disk info ${path}"`,
  }),
  OVERLAY_IN_USE: ({ disk, reason }) => ({
    message: `${disk} is in use: ${reason}`,
    hint: "stop the box, or the program that holds the file, and try again",
    retryable: true,
  }),
  OVERLAY_UNKNOWN: ({ disk, reason }) => ({
    message: `cannot judge ${disk}: ${reason}; refusing to discard a possibly-intact overlay`,
    hint: "nothing was changed: report this as a fault of box",
  }),
};

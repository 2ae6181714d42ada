import { type FileSystem, nodeFileSystem } from "@box/io/node";
import { createOnBase, type OverlayBase, resolveBase } from "./create-on-base.ts";
import { decide, type OverlayRefusalCode } from "./decide.ts";
import type { OverlayEvent } from "./events.ts";
import { type MadeOverlay, recordMade } from "./made-overlay.ts";
import { type QuarantinedFile, quarantine } from "./quarantine.ts";
import {
  type OverlayReading,
  type ReadOverlayFactsOptions,
  readOverlayFacts,
} from "./read-facts.ts";
import type { OverlayRecord, RecordedBase } from "./record.ts";
import { refusalOf } from "./refusal.ts";

/** What {@link prepareOverlay} works on. */
export interface PrepareOverlayOptions extends ReadOverlayFactsOptions {
  /** The box's name as its user knows it, for the commands in hints. */
  readonly boxName?: string;
  /** Takes only a disk that stays as it is: what would be made, or made again, is refused. */
  readonly onlyKeep?: boolean;
  /** Gives the base to make an overlay on. Asked only when one has to be made; it may fetch and build. */
  readonly base: () => Promise<OverlayBase>;
  /** Size of a disk that has to be made, in bytes; the base's unless given. */
  readonly virtualSizeBytes?: number;
  /** Without a size it is the base's, or this where that is more. */
  readonly minimumSizeBytes?: number;
  /** Folder on the same file system for corrupt overlays; made when it is needed. */
  readonly quarantineDirectory: string;
  /** Told what happens, as it happens. */
  readonly onEvent?: (event: OverlayEvent) => void;
}

/** A disk that is ready for a VM. */
export interface PreparedOverlay {
  /** Path of the overlay. */
  readonly path: string;
  /** Whether it was there and stayed as it was, was made, or was made in the place of a corrupt one. */
  readonly outcome: "kept" | "created" | "recreated";
  /** What the box's state should record from now on. */
  readonly record: OverlayRecord;
  /** Size of the virtual disk in bytes. */
  readonly virtualSizeBytes: number;
  /** Where the corrupt one went. */
  readonly quarantinedPath?: string;
  /** What this run made, for `removeMadeOverlay` after a later failure; never there when it was kept. */
  readonly made?: MadeOverlay;
}

/**
 * Applies the overlay rules to one disk of a box: keeps it, makes it, replaces it or refuses.
 *
 * Judged before any base is asked for: an intact overlay whose base is on disk needs no image and no network. A kept
 * overlay is never written to. Call it under the box's lock.
 *
 * @throws RootfsError `OVERLAY_*` when the rules refuse, with nothing changed; what `base` threw, with nothing changed;
 * IoError when a new overlay cannot be made: a corrupt one is then back under its name.
 */
export async function prepareOverlay(options: PrepareOverlayOptions): Promise<PreparedOverlay> {
  const reading = await readOverlayFacts(options);
  const action = decide(reading.facts);
  const { onlyKeep = false } = options;
  switch (action.type) {
    case "keep":
      return keep(options, reading);
    case "create":
      if (onlyKeep) throw refuse(options, reading, "OVERLAY_MISSING");
      return create(options, action.again);
    case "recreate":
      if (onlyKeep) throw refuse(options, reading, "OVERLAY_CORRUPT");
      return recreate(options, reading);
    case "refuse":
      throw refuse(options, reading, action.code);
  }
}

function keep(options: PrepareOverlayOptions, reading: OverlayReading): PreparedOverlay {
  const record = recordOfKept(options, reading);
  const basePath = record.type === "made" ? record.base?.path : undefined;
  tell(options, {
    name: "overlay.kept",
    level: "info",
    message: `keeping the existing ${describeDisk(options)}`,
    ...(basePath === undefined ? {} : { basePath }),
  });
  const virtualSizeBytes = Number(reading.overlay.image?.virtualSizeBytes ?? 0n);
  return { path: options.path, outcome: "kept", record, virtualSizeBytes };
}

async function create(options: PrepareOverlayOptions, again: boolean): Promise<PreparedOverlay> {
  const fs = options.fs ?? nodeFileSystem;
  const base = await resolveBase(fs, await options.base());
  const prepared = await makeOn(fs, options, base);
  tell(options, {
    name: "overlay.created",
    level: "info",
    message: again
      ? `${describeDisk(options)} was missing and is made again, empty, on ${base.path}`
      : `created ${describeDisk(options)} on ${base.path}`,
    basePath: base.path,
  });
  return { ...prepared, outcome: "created" };
}

/** Row 5: the base is made sure of first, so that nothing is moved when there is nothing to put in its place. */
async function recreate(
  options: PrepareOverlayOptions,
  reading: OverlayReading,
): Promise<PreparedOverlay> {
  const fs = options.fs ?? nodeFileSystem;
  const base = await resolveBase(fs, await options.base());
  options.signal?.throwIfAborted();
  const aside = await moveAside(fs, options, reading);
  const prepared = await makeOn(fs, options, base).catch(async (error: unknown) => {
    await aside.putBack().catch(() => {});
    throw error;
  });
  const { code, reason, offset } = reading.overlay;
  tell(options, {
    name: "overlay.quarantined",
    level: "warning",
    message: `discarding corrupt ${describeDisk(options)} (${reason}): moved to ${aside.path}`,
    quarantinedPath: aside.path,
    ...(code === undefined ? {} : { code }),
    ...(reason === undefined ? {} : { reason }),
    ...(offset === undefined ? {} : { offset }),
  });
  tell(options, {
    name: "overlay.recreated",
    level: "info",
    message: `recreated ${describeDisk(options)} on ${base.path}`,
    basePath: base.path,
  });
  return { ...prepared, outcome: "recreated", quarantinedPath: aside.path };
}

async function moveAside(
  fs: FileSystem,
  options: PrepareOverlayOptions,
  reading: OverlayReading,
): Promise<QuarantinedFile> {
  try {
    return await quarantine(
      fs,
      options.path,
      options.quarantineDirectory,
      reading.overlay.identity,
    );
  } catch (error) {
    throw refuse(options, reading, "OVERLAY_QUARANTINE_FAILED", error);
  }
}

async function makeOn(
  fs: FileSystem,
  options: PrepareOverlayOptions,
  base: RecordedBase,
): Promise<Omit<PreparedOverlay, "outcome">> {
  const { path, signal, minimumSizeBytes = 0 } = options;
  const { virtualSizeBytes } = await createOnBase(fs, path, base, {
    virtualSizeBytes: options.virtualSizeBytes ?? Math.max(base.sizeBytes, minimumSizeBytes),
    ...(signal === undefined ? {} : { signal }),
  });
  const made = await recordMade(fs, path);
  return {
    path,
    record: { type: "made", base },
    virtualSizeBytes,
    ...(made === undefined ? {} : { made }),
  };
}

function refuse(
  options: PrepareOverlayOptions,
  reading: OverlayReading,
  code: OverlayRefusalCode,
  cause?: unknown,
): Error {
  const error = refusalOf(code, options, reading, cause);
  const { reason, offset, basePath } = error.details;
  tell(options, {
    name: "overlay.refused",
    level: "error",
    message: error.message,
    code,
    ...(typeof reason === "string" ? { reason } : {}),
    ...(typeof offset === "number" ? { offset } : {}),
    ...(typeof basePath === "string" ? { basePath } : {}),
  });
  return error;
}

/** What to record for a kept disk: what was recorded, or without a record the backing file that it names. */
function recordOfKept({ record }: PrepareOverlayOptions, reading: OverlayReading): OverlayRecord {
  if (record.type === "made") return record;
  const backing = reading.overlay.image?.backing;
  if (backing === undefined) return { type: "made", base: undefined };
  const { path, sizeBytes } = reading.base;
  // A name that is not UTF-8 has no place in the state: it stays without a record.
  if (backing.name === undefined || path === undefined || sizeBytes === undefined) return record;
  const format = backing.format === "qcow2" ? "qcow2" : "raw";
  return { type: "made", base: { path, sizeBytes, format } };
}

function describeDisk({ role, path }: PrepareOverlayOptions): string {
  return `${role === "guest" ? "guest rootfs" : "disk"} ${path}`;
}

function tell(
  options: PrepareOverlayOptions,
  event: Omit<OverlayEvent, "type" | "disk" | "path">,
): void {
  options.onEvent?.({ type: "overlay", disk: options.role, path: options.path, ...event });
}

import { type FileSystem, nodeFileSystem, type ReadFileLocks, readFileLocks } from "@box/io/node";
import { backingPath } from "./backing-path.ts";
import type { DiskRole, OverlayFacts, OverlayPolicy } from "./facts.ts";
import { type BaseFinding, type IsBaseSound, judgeBase, type WantedBase } from "./judge-base.ts";
import { judgeOverlay } from "./judge-overlay.ts";
import type { OverlayFinding, OverlayLimits } from "./overlay-finding.ts";
import type { OverlayRecord } from "./record.ts";

/** What {@link readOverlayFacts} looks at. */
export interface ReadOverlayFactsOptions {
  /** Absolute path of the overlay. */
  readonly path: string;
  /** Whose disk it is. */
  readonly role: DiskRole;
  /** What the box's state says about it. */
  readonly record: OverlayRecord;
  /** What the user allowed; nothing unless given. */
  readonly policy?: OverlayPolicy;
  /** How much work judging it may be. */
  readonly limits?: OverlayLimits;
  /** Says whether a base that is there is as recorded; its content is not looked at unless given. */
  readonly isBaseSound?: IsBaseSound;
  /** The file system calls; the host's unless given. */
  readonly fs?: FileSystem;
  /** The kernel's list of file locks; /proc/locks unless given. */
  readonly readLocks?: ReadFileLocks;
  /** Stops reading. */
  readonly signal?: AbortSignal;
}

/** The facts about a disk, and what stands behind each. */
export interface OverlayReading {
  /** What `decide` takes. */
  readonly facts: OverlayFacts;
  /** What was found where the overlay should be. */
  readonly overlay: OverlayFinding;
  /** What was found where the base should be. */
  readonly base: BaseFinding;
}

/**
 * Reads everything that `decide` needs to know about a disk. Opens files for reading only and changes nothing.
 *
 * Without a record the base is the backing file that the overlay itself names.
 *
 * @throws only when `signal` stops it; every failure to read is a fact.
 */
export async function readOverlayFacts(options: ReadOverlayFactsOptions): Promise<OverlayReading> {
  const { path, role, record, fs = nodeFileSystem, signal } = options;
  const overlay = await judgeOverlay(path, {
    fs,
    readLocks: options.readLocks ?? readFileLocks,
    recorded: record.type === "made" ? record : undefined,
    limits: options.limits ?? {},
    ...(signal === undefined ? {} : { signal }),
  });
  // Looking at a content may take seconds: not where there is no disk that it would be for.
  const isSound = overlay.state === "absent" ? undefined : options.isBaseSound;
  const base = await judgeBase(fs, wantedBase(path, record, overlay), isSound);
  signal?.throwIfAborted();
  const facts: OverlayFacts = {
    overlay: overlay.state,
    base: base.state,
    record: record.type,
    role,
    policy: options.policy ?? { recreateDisk: false },
    quarantineFailed: false,
  };
  return { facts, overlay, base };
}

/** The base to look for: the recorded one, or without a record the one that the overlay names. */
function wantedBase(
  path: string,
  record: OverlayRecord,
  overlay: OverlayFinding,
): WantedBase | undefined {
  if (record.type === "made") return record.base;
  // Only a sound overlay's word for its backing file is taken.
  if (!overlay.state.startsWith("sound")) return undefined;
  const backing = overlay.image?.backing;
  return backing === undefined ? undefined : { path: backingPath(path, backing.nameBytes) };
}

import type { FileSystem, ReadFileLocks } from "@box/io/node";
import type { ImageInfo } from "@box/qcow2";
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

/** What `judgeOverlay` needs to know. */
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

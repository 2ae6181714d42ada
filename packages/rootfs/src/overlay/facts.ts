/**
 * What was found where the overlay should be.
 *
 * The four `sound` states differ in what the overlay says about its backing file, compared with the record.
 */
export type OverlayState =
  | "io-error" // it could not be read, for any reason but "no such file"
  | "absent" // no such file, in a folder that exists
  | "corrupt" // all of it that matters was read, and it cannot be right
  | "unsupported" // a feature that box does not know, or an encrypted image
  | "limit" // over a limit on what box looks at
  | "in-use" // a live process holds it
  | "unknown" // judging it failed in a way that box has no name for
  | "sound" // as recorded
  | "sound-other-backing" // names another backing file
  | "sound-no-backing" // names no backing file
  | "sound-other-format"; // names another backing format, or none

/** Every {@link OverlayState}, in the order of the printed table. */
export const overlayStates: readonly OverlayState[] = [
  "io-error",
  "absent",
  "corrupt",
  "unsupported",
  "limit",
  "in-use",
  "unknown",
  "sound",
  "sound-other-backing",
  "sound-no-backing",
  "sound-other-format",
];

/**
 * What was found where the base should be: the recorded base, or without a record the backing file that the overlay
 * names. `not-recorded` means that neither is known.
 */
export type BaseState =
  | "present"
  | "io-error"
  | "missing"
  | "not-regular"
  | "other-size"
  | "other-content"
  | "not-recorded";

/** Every {@link BaseState}, in the order of the printed table. */
export const baseStates: readonly BaseState[] = [
  "present",
  "io-error",
  "missing",
  "not-regular",
  "other-size",
  "other-content",
  "not-recorded",
];

/**
 * What the box's state says about the disk: it was made, the box was adopted without a record of it, or it was never
 * made yet.
 */
export type RecordState = "made" | "adopted" | "never-made";

/** Every {@link RecordState}, in the order of the printed table. */
export const recordStates: readonly RecordState[] = ["made", "adopted", "never-made"];

/** Whose disk it is: the system that boots (`guest`), or the user's data (`user`). */
export type DiskRole = "guest" | "user";

/** Every {@link DiskRole}, in the order of the printed table. */
export const diskRoles: readonly DiskRole[] = ["guest", "user"];

/** What the user allowed for this run. */
export interface OverlayPolicy {
  /** The user asked, by `--recreate-disk`, for a new disk where the old one is absent or corrupt. */
  readonly recreateDisk: boolean;
}

/** Everything that {@link decide} looks at. */
export interface OverlayFacts {
  /** What was found where the overlay should be. */
  readonly overlay: OverlayState;
  /** What was found where the base should be. */
  readonly base: BaseState;
  /** What the box's state says about the disk. */
  readonly record: RecordState;
  /** Whose disk it is. */
  readonly role: DiskRole;
  /** What the user allowed. */
  readonly policy: OverlayPolicy;
  /** Whether moving a corrupt overlay aside was tried in this run, and failed. */
  readonly quarantineFailed: boolean;
}

/** Every combination of facts, in the order of the printed table: overlay first, quarantine last. */
export function* everyOverlayFacts(): Generator<OverlayFacts> {
  for (const overlay of overlayStates)
    for (const base of baseStates)
      for (const record of recordStates)
        for (const role of diskRoles)
          for (const recreateDisk of [false, true])
            for (const quarantineFailed of [false, true])
              yield { overlay, base, record, role, policy: { recreateDisk }, quarantineFailed };
}

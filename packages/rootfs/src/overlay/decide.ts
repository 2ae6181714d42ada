import type { RootfsErrorCode } from "../errors.ts";
import type { OverlayFacts } from "./facts.ts";

/** Codes with which {@link decide} refuses. */
export type OverlayRefusalCode = Exclude<
  Extract<RootfsErrorCode, `OVERLAY_${string}`>,
  "OVERLAY_TOO_SMALL"
>;

/** What to do about an overlay. `row` is the row of docs/overlay-rules.md that decided. */
export type OverlayAction =
  /** Use it as it is; change nothing. */
  | { readonly type: "keep"; readonly row: 9 }
  /** Nothing is there: make a new one on the base. `again` when there was, or may have been, one before. */
  | { readonly type: "create"; readonly row: 2; readonly again: boolean }
  /** Move it into quarantine, then make a new one on the base. */
  | { readonly type: "recreate"; readonly row: 5 }
  /** Stop, and change nothing. */
  | {
      readonly type: "refuse";
      readonly row: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;
      readonly code: OverlayRefusalCode;
    };

/**
 * Decides what happens to a box's overlay: the same rules for both disks, judged before any base is made or fetched.
 *
 * Pure. The rows are tried in the order of their numbers, and the first that applies wins. Only a corrupt overlay is
 * ever replaced; an I/O error or a state without a name refuses.
 */
export function decide(facts: OverlayFacts): OverlayAction {
  return judgeReadability(facts) ?? judgeAbsence(facts) ?? judgeBase(facts) ?? judgeContent(facts);
}

function judgeReadability({ overlay }: OverlayFacts): OverlayAction | undefined {
  return overlay === "io-error" ? refuse(1, "OVERLAY_IO") : undefined;
}

function judgeAbsence({ overlay, record, role, policy }: OverlayFacts): OverlayAction | undefined {
  if (overlay !== "absent") return undefined;
  if (record === "never-made") return { type: "create", row: 2, again: false };
  if (role === "user" && !policy.recreateDisk) return refuse(2, "OVERLAY_MISSING");
  return { type: "create", row: 2, again: true };
}

function judgeBase({ base }: OverlayFacts): OverlayAction | undefined {
  switch (base) {
    case "io-error":
      return refuse(3, "OVERLAY_BACKING_IO");
    case "missing":
    case "not-regular":
    case "other-size":
    case "other-content":
      return refuse(4, "OVERLAY_BACKING_MISSING");
    case "present":
    case "not-recorded":
      return undefined;
    default:
      return refuse(7, unknown(base));
  }
}

function judgeContent(facts: OverlayFacts): OverlayAction {
  switch (facts.overlay) {
    case "corrupt":
      return judgeCorrupt(facts);
    case "unsupported":
      return refuse(7, "OVERLAY_UNSUPPORTED");
    case "limit":
      return refuse(7, "OVERLAY_LIMIT");
    case "in-use":
      return refuse(7, "OVERLAY_IN_USE");
    case "sound":
    case "sound-other-backing":
    case "sound-no-backing":
    case "sound-other-format":
      return isBackingAccepted(facts) ? { type: "keep", row: 9 } : mismatch;
    default:
      return refuse(7, "OVERLAY_UNKNOWN");
  }
}

function judgeCorrupt({ role, policy, quarantineFailed }: OverlayFacts): OverlayAction {
  if (role !== "guest" && !policy.recreateDisk) return refuse(5, "OVERLAY_CORRUPT");
  return quarantineFailed ? refuse(6, "OVERLAY_QUARANTINE_FAILED") : { type: "recreate", row: 5 };
}

/**
 * Whether a sound overlay says the right thing about its backing file. Without a record there is nothing to compare
 * with: it is accepted when the backing file that it names is there, or when it names none.
 */
function isBackingAccepted({ overlay, base, record }: OverlayFacts): boolean {
  if (record === "made") {
    return overlay === "sound" || (overlay === "sound-no-backing" && base === "not-recorded");
  }
  if (overlay === "sound-no-backing") return true;
  return base === "present" && (overlay === "sound" || overlay === "sound-other-backing");
}

const mismatch: OverlayAction = { type: "refuse", row: 8, code: "OVERLAY_BACKING_MISMATCH" };

function refuse(row: 1 | 2 | 3 | 4 | 5 | 6 | 7, code: OverlayRefusalCode): OverlayAction {
  return { type: "refuse", row, code };
}

/** A state that the compiler knows to be impossible still refuses when untyped code passes it in. */
function unknown(_state: never): OverlayRefusalCode {
  return "OVERLAY_UNKNOWN";
}

import type { DiskRole } from "./facts.ts";

/** What the rules did to a disk. */
export type OverlayEventName =
  | "overlay.kept"
  | "overlay.created"
  | "overlay.recreated"
  | "overlay.quarantined"
  | "overlay.refused";

/** One step of the overlay rules, as it happened. Plain data. */
export interface OverlayEvent {
  /** Marks it in a stream of events of several types. */
  readonly type: "overlay";
  /** What happened. */
  readonly name: OverlayEventName;
  /** `warning` when a corrupt overlay was moved aside, `error` when it was refused. */
  readonly level: "info" | "warning" | "error";
  /** Whose disk it is. */
  readonly disk: DiskRole;
  /** Path of the overlay. */
  readonly path: string;
  /** The same in one sentence for people. */
  readonly message: string;
  /** The base disk, where one is known. */
  readonly basePath?: string;
  /** Where the corrupt overlay went. */
  readonly quarantinedPath?: string;
  /** Why it was moved aside or refused: a stable code. */
  readonly code?: string;
  /** Why it was moved aside or refused, for people. */
  readonly reason?: string;
  /** Where in the overlay the fault is, in bytes. */
  readonly offset?: number;
}

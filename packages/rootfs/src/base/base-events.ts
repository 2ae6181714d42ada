/** One step on the way to a base disk, as it happened. Plain data. */
export interface BaseEvent {
  /** Marks it in a stream of events of several types. */
  readonly type: "base";
  /** What happened. */
  readonly name:
    | "base.cached"
    | "base.waiting"
    | "base.verifying"
    | "base.building"
    | "base.progress"
    | "base.warning"
    | "base.quarantined"
    | "base.built";
  /** How much it matters. */
  readonly level: "info" | "warning";
  /** The base's key. */
  readonly key: string;
  /** The same in one sentence for people. */
  readonly message: string;
  /** How far a build has come: one's own, or the one that is waited for. */
  readonly progress?: {
    readonly stage: "merge" | "write";
    readonly done: number;
    readonly total: number;
  };
  /** Which rule a warning is about. */
  readonly code?: string;
  /** Where a damaged disk is kept. */
  readonly path?: string;
  /** Who builds it while this process waits. */
  readonly holderPid?: number;
}

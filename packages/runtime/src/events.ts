import type { PipelineEvent } from "@box/pipeline";
import type { OverlayEvent } from "@box/rootfs";

/** Which box and operation an event belongs to. */
export interface BoxEventStamp {
  /** The operation's id; the key of its stored events. */
  readonly operation: string;
  /** The box. */
  readonly box: { readonly id: string; readonly name: string };
}

/** What was done to a box as a whole. */
export type BoxChangeName =
  | "box.renamed"
  | "box.cloned"
  | "box.resized"
  | "box.exported"
  | "box.imported"
  | "snapshot.created"
  | "snapshot.restored"
  | "snapshot.removed"
  | "box.started"
  | "box.stopped"
  | "box.exited";

/** Something that was done to a box as a whole. Plain data. */
export interface BoxChangeEvent {
  /** Marks it in a stream of events of several types. */
  readonly type: "change";
  /** What was done. */
  readonly name: BoxChangeName;
  /** How important it is. */
  readonly level: "info";
  /** The same in one sentence for people. */
  readonly message: string;
  /** Names, sizes and the like. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** The events that boxes add to those of the pipeline. */
export type BoxOwnEvent = OverlayEvent | BoxChangeEvent;

/**
 * An event of an operation on a box: those of the pipeline, what the overlay rules did (`type: "overlay"`), and what was done
 * to the box as a whole (`type: "change"`).
 *
 * Plain JSON, the same in the library, the CLI's NDJSON and the server's SSE. `sequence` counts from 1 without gaps
 * within an operation.
 */
export type BoxEvent = PipelineEvent<BoxOwnEvent> & BoxEventStamp;

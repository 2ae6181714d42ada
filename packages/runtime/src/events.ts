import type { PipelineEvent } from "@box/pipeline";
import type { OverlayEvent } from "@box/rootfs";

/** Which box and operation an event belongs to. */
export interface BoxEventStamp {
  /** The operation's id; the key of its stored events. */
  readonly operation: string;
  /** The box. */
  readonly box: { readonly id: string; readonly name: string };
}

/**
 * An event of an operation on a box: those of the pipeline, and what the overlay rules did (`type: "overlay"`).
 *
 * Plain JSON, the same in the library, the CLI's NDJSON and the server's SSE. `sequence` counts from 1 without gaps
 * within an operation.
 */
export type BoxEvent = PipelineEvent<OverlayEvent> & BoxEventStamp;

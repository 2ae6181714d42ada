import type { LockHolder } from "@box/io/node";
import type { BuildProgress } from "../build/build-rootfs.ts";
import type { BaseEvent } from "./base-events.ts";

/** An event without what all events of one call share. */
export type Told = Omit<BaseEvent, "type" | "key" | "level"> & {
  readonly level?: BaseEvent["level"];
};

/** Tells events of one key to whoever listens. */
export function teller(
  key: string,
  options: { readonly onEvent?: (event: BaseEvent) => void },
): (event: Told) => void {
  return (event) => options.onEvent?.({ type: "base", level: "info", key, ...event });
}

/** Somebody else builds it. */
export function waitingFor(holder: LockHolder | undefined): Told {
  if (holder === undefined) {
    return { name: "base.waiting", message: "waiting for another process that builds this base" };
  }
  const message = `waiting for process ${holder.pid}, which is ${holder.command}`;
  return { name: "base.waiting", message, holderPid: holder.pid };
}

/** How far a build is. */
export function toldProgress(progress: BuildProgress): Told {
  return { name: "base.progress", message: describeProgress(progress), progress };
}

function describeProgress({ stage, done, total }: BuildProgress): string {
  return stage === "merge" ? `merged layer ${done} of ${total}` : `wrote ${done} bytes`;
}

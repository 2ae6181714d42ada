import { RuntimeError } from "../errors.ts";

/** Where a box is in its life. */
export type BoxState =
  | "creating" // its first operation runs; gone when that has failed
  | "created" // both disks are ready, it was never started
  | "starting"
  | "running"
  | "stopping"
  | "stopped" // it has run before
  | "failed" // its last operation failed; nothing was deleted
  | "removing"; // its files go away; finished by who looks next when interrupted

/** Every state, in the order of a life. */
export const boxStates: readonly BoxState[] = [
  "creating",
  "created",
  "starting",
  "running",
  "stopping",
  "stopped",
  "failed",
  "removing",
];

/** The moves that are legal; all others are refused. */
export const legalMoves: Readonly<Record<BoxState, readonly BoxState[]>> = {
  creating: ["created", "removing"],
  created: ["starting", "failed", "removing"],
  starting: ["running", "created", "stopped", "failed"],
  running: ["stopping", "stopped", "failed"],
  stopping: ["stopped", "running", "failed"],
  stopped: ["starting", "failed", "removing"],
  failed: ["created", "starting", "stopped", "removing"],
  removing: [],
};

/** States in which a VM may be using the disks. */
const inUse: readonly BoxState[] = ["starting", "running", "stopping"];

/** Whether a VM may be using the disks of a box in this state. */
export function isInUse(state: BoxState): boolean {
  return inUse.includes(state);
}

/** Whether a box in this state goes away when nobody is at it. */
export function isUnfinished(state: BoxState): boolean {
  return state === "creating" || state === "removing";
}

/** @throws RuntimeError `BOX_STATE_ILLEGAL`. */
export function checkMove(name: string, from: BoxState, to: BoxState): void {
  if (from === to || legalMoves[from].includes(to)) return;
  throw new RuntimeError({
    code: "BOX_STATE_ILLEGAL",
    message: `box ${name} is ${from} and cannot become ${to}`,
    details: { name, from, to },
    hint:
      from === "creating" ? "wait until it is created" : `look at it with "box inspect ${name}"`,
  });
}

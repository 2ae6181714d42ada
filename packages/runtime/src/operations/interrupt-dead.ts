import type { ErrorReport } from "@box/errors";
import { isProcessAlive } from "@box/io/node";
import { endOperation, listRunningOperations } from "../state/operations-table.ts";
import type { StateStore } from "../state/state-store.ts";

/** Marks the operations of processes that are provably dead. */
export function interruptDeadOperations(state: StateStore, nowMs: number): void {
  const dead = listRunningOperations(state.database).filter(({ owner }) => !isProcessAlive(owner));
  if (dead.length === 0) return;
  state.transaction((database) => {
    for (const { id } of dead) {
      endOperation(database, id, { state: "interrupted", nowMs, error: interrupted(id) });
    }
  });
}

function interrupted(operation: string): ErrorReport {
  return {
    code: "OPERATION_INTERRUPTED",
    kind: "interrupted",
    message: "the process that carried it out died",
    details: { operation },
    hint: "do it again: what was half done has been put right",
    retryable: true,
    cause: [],
  };
}

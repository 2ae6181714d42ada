import type { ErrorReport } from "@box/errors";
import { isProcessAlive, removeDeadTemporaries } from "@box/io/node";
import { boxLayout, type HomeLayout } from "../home/layout.ts";
import { endOperation, listRunningOperations } from "../state/operations-table.ts";
import type { StateStore } from "../state/state-store.ts";

/** Marks the operations of processes that are provably dead, once what they left with their boxes is gone. */
export async function interruptDeadOperations(
  home: HomeLayout,
  state: StateStore,
  nowMs: number,
): Promise<void> {
  const dead = listRunningOperations(state.database).filter(({ owner }) => !isProcessAlive(owner));
  if (dead.length === 0) return;
  for (const box of new Set(dead.map(({ boxId }) => boxId))) {
    await removeDeadTemporaries(boxLayout(home, box).disks);
  }
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

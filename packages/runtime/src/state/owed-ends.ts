import type { OperationEnd } from "./operations-table.ts";

/** By the path of the database, then by the operation. */
const owed = new Map<string, Map<string, OperationEnd>>();

/**
 * The ends of operations of this process that a database has yet to take. They outlive the store that could not store them: to
 * every other process they are operations of one that is alive.
 */
export function owedEndsOf(path: string): Map<string, OperationEnd> {
  const ends = owed.get(path) ?? new Map<string, OperationEnd>();
  owed.set(path, ends);
  return ends;
}

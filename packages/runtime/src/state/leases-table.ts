import { isProcessAlive, type ProcessIdentity } from "@box/io/node";
import { Columns } from "./columns.ts";
import type { StateDatabase } from "./database.ts";
import type { StateStore } from "./state-store.ts";

/** A claim of a live process that keeps a resource from being collected. */
export interface Lease {
  /** Its id. */
  readonly id: string;
  /** What is kept, such as `base:KEY`. */
  readonly resource: string;
  /** Why, for people. */
  readonly purpose: string;
  /** The process that holds it. */
  readonly owner: ProcessIdentity;
}

/** Stores a lease. */
export function putLease(database: StateDatabase, lease: Lease, nowMs: number): void {
  database.run(
    `INSERT INTO leases (id, resource, purpose, owner, created_ms)
     VALUES (:id, :resource, :purpose, :owner, :now)`,
    {
      id: lease.id,
      resource: lease.resource,
      purpose: lease.purpose,
      owner: JSON.stringify(lease.owner),
      now: nowMs,
    },
  );
}

/** Gives a lease back. */
export function deleteLease(database: StateDatabase, id: string): void {
  database.run("DELETE FROM leases WHERE id = :id", { id });
}

/** Leases of live processes on a resource, the oldest first. */
export function liveLeases(database: StateDatabase, resource: string): readonly Lease[] {
  return listLeases(database).filter(
    (lease) => lease.resource === resource && isProcessAlive(lease.owner),
  );
}

/** All leases, the oldest first. */
function listLeases(database: StateDatabase): readonly Lease[] {
  return database.all("SELECT * FROM leases ORDER BY created_ms, id").map((row) => {
    const columns = new Columns("leases", row);
    return {
      id: columns.text("id"),
      resource: columns.text("resource"),
      purpose: columns.text("purpose"),
      owner: columns.json<ProcessIdentity>("owner"),
    };
  });
}

/** Removes the leases of processes that are provably dead. */
export function deleteDeadLeases(state: StateStore): void {
  const dead = listLeases(state.database).filter(({ owner }) => !isProcessAlive(owner));
  if (dead.length === 0) return;
  state.transaction((database) => {
    for (const { id } of dead) deleteLease(database, id);
  });
}

import type { ErrorReport } from "@box/errors";
import type { PlanMetrics } from "@box/pipeline";

/** What an operation does. */
export type OperationKind =
  | "create"
  | "prepare"
  | "restore"
  | "remove"
  | "rename"
  | "clone"
  | "resize"
  | "export"
  | "import"
  | "snapshot-create"
  | "snapshot-restore"
  | "snapshot-remove"
  | "start"
  | "stop"
  | "restart"
  | "settle";

/** How far an operation is. */
export type OperationState = "running" | "succeeded" | "failed" | "cancelled" | "interrupted";

/** Every state of an operation. */
export const operationStates: readonly OperationState[] = [
  "running",
  "succeeded",
  "failed",
  "cancelled",
  "interrupted",
];

/** Every kind of operation. */
export const operationKinds: readonly OperationKind[] = [
  "create",
  "prepare",
  "restore",
  "remove",
  "rename",
  "clone",
  "resize",
  "export",
  "import",
  "snapshot-create",
  "snapshot-restore",
  "snapshot-remove",
  "start",
  "stop",
  "restart",
  "settle",
];

/** An operation on a box. */
export interface OperationSummary {
  /** Its id. */
  readonly id: string;
  /** What it does. */
  readonly kind: OperationKind;
  /** The box. */
  readonly box: { readonly id: string; readonly name: string };
  /** How far it is. */
  readonly state: OperationState;
  /** Its trace: 32 hex digits. */
  readonly traceId: string;
  /** When it began: ISO 8601, UTC. */
  readonly startedAt: string;
  /** When it ended: ISO 8601, UTC. */
  readonly finishedAt?: string;
  /** Why it failed. */
  readonly error?: ErrorReport;
  /** Its figures, once it has ended. */
  readonly metrics?: PlanMetrics;
}

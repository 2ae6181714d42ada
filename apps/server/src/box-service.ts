import type { ErrorReport } from "@box/errors";
import type {
  BoxDetails,
  BoxSnapshot,
  BoxSummary,
  PruneOptions,
  PruneReport,
  RunSettings,
  StorageUsage,
} from "@box/runtime";

/** An event of an operation, as the library told it. */
export interface ServiceEvent {
  /** Names the event. */
  readonly type: string;
  /** 1 for the first of its operation, then one more each, without gaps. */
  readonly sequence: number;
}

/** How far an operation is; all but the first are final. */
export type OperationState = "running" | "succeeded" | "failed" | "cancelled" | "interrupted";

/** Work on a box, as the state records it. */
export interface OperationRecord {
  /** Its id: 32 hex digits. */
  readonly id: string;
  /** What it does, such as `create`. */
  readonly kind: string;
  /** The box; without id as long as it has none. */
  readonly box: { readonly id?: string; readonly name: string };
  /** How far it is. */
  readonly state: OperationState;
  /** Its trace: 32 hex digits. */
  readonly traceId?: string;
  /** When it began: ISO 8601, UTC. */
  readonly startedAt: string;
  /** When it ended: ISO 8601, UTC. */
  readonly finishedAt?: string;
  /** Why it failed. */
  readonly error?: ErrorReport;
}

/** What work may use. */
export interface WorkContext {
  /** The id to record it under. */
  readonly operationId: string;
  /** Aborted when the operation is cancelled. */
  readonly signal: AbortSignal;
  /** Tells an event. */
  onEvent(event: ServiceEvent): void;
}

/** What the server records and reads of operations that it does not carry out itself. */
export interface OperationArchive {
  /** The newest operations of the home, whoever carries them out. */
  list(): Promise<readonly OperationRecord[]>;
  /** One of them. */
  find(id: string): Promise<OperationRecord | undefined>;
  /** Stored events with a greater sequence number. */
  events(id: string, afterSequence: number): Promise<readonly ServiceEvent[]>;
}

/** What a box is made from. */
export interface CreateRequest {
  /** The image's reference. */
  readonly image: string;
  /** The box's name. */
  readonly name: string;
  /** The reference of the guest rootfs image, or `none`; box's own without it. */
  readonly guestRootfs?: string | undefined;
  /** Size of the user's disk; the image's own without it. */
  readonly diskSizeBytes?: number | undefined;
  /** Labels to find the box by. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Whether the box goes away when it has stopped. */
  readonly autoRemove?: boolean | undefined;
  /** How it runs; as boxes do about which nothing else was said without it. */
  readonly run?:
    | { readonly [Name in keyof RunSettings]?: RunSettings[Name] | undefined }
    | undefined;
  /** When the image is fetched. */
  readonly pull?: "missing" | "always" | "never" | undefined;
}

/** How the disks are prepared. */
export interface PrepareRequest {
  /** Makes the user's disk again where the rules would refuse. */
  readonly recreateDisk?: boolean | undefined;
}

/** How a box is started. */
export interface StartRequest {
  /** Makes the user's disk again where the rules would refuse. */
  readonly recreateDisk?: boolean | undefined;
}

/** How a box is stopped. */
export interface StopRequest {
  /** How long the guest may take. */
  readonly graceMs?: number | undefined;
}

/** What a copy of a box is like. */
export interface CloneRequest {
  /** Its name. */
  readonly name: string;
}

/** How large a disk is to be. */
export interface ResizeRequest {
  /** Its size. */
  readonly sizeBytes: number;
}

/** Which snapshot. */
export interface SnapshotRequest {
  /** Its name. */
  readonly snapshot: string;
}

/** Where an archive goes. */
export interface ExportRequest {
  /** Absolute path of the file on the server's machine. */
  readonly path: string;
  /** Whether the contents of the bases go along; yes unless said otherwise. */
  readonly withBases?: boolean | undefined;
}

/** What a prune takes. */
export type PruneRequest = {
  readonly [Name in Exclude<keyof PruneOptions, "signal">]?: PruneOptions[Name] | undefined;
};

/** The space of a home: the part of the runtime that the server offers. */
export interface StorageService {
  /** Where it goes. */
  usage(): Promise<StorageUsage>;
  /** Removes what nothing uses. */
  prune(request: PruneRequest, signal: AbortSignal): Promise<PruneReport>;
}

/** The boxes of a home: the part of the runtime that the server offers. */
export interface BoxService {
  /** Starts a box. */
  start(name: string, request: StartRequest, context: WorkContext): Promise<unknown>;
  /** Stops a box. */
  stop(name: string, request: StopRequest, context: WorkContext): Promise<unknown>;
  /** Stops a box when it runs, and starts it. */
  restart(
    name: string,
    request: StartRequest & StopRequest,
    context: WorkContext,
  ): Promise<unknown>;
  /** Copies a box. */
  clone(name: string, request: CloneRequest, context: WorkContext): Promise<unknown>;
  /** Grows the user's disk. */
  resize(name: string, request: ResizeRequest, context: WorkContext): Promise<unknown>;
  /** Writes an archive. */
  export(name: string, request: ExportRequest, context: WorkContext): Promise<unknown>;
  /** The snapshots of the user's disk. */
  listSnapshots(name: string): Promise<readonly BoxSnapshot[]>;
  /** Takes one. */
  createSnapshot(name: string, request: SnapshotRequest, context: WorkContext): Promise<unknown>;
  /** Makes the disk what it was. */
  restoreSnapshot(name: string, request: SnapshotRequest, context: WorkContext): Promise<unknown>;
  /** Removes one. */
  removeSnapshot(name: string, snapshot: string): Promise<void>;
  /** The space of the home. */
  readonly storage: StorageService;
  /** Every box. */
  list(): Promise<readonly BoxSummary[]>;
  /** One box. */
  inspect(name: string): Promise<BoxDetails>;
  /** Makes a box. */
  create(request: CreateRequest, context: WorkContext): Promise<unknown>;
  /** Applies the overlay rules to both disks. */
  prepare(name: string, request: PrepareRequest, context: WorkContext): Promise<unknown>;
  /** Removes a box. */
  remove(name: string): Promise<void>;
  /** Recorded operations. */
  readonly operations: OperationArchive;
}

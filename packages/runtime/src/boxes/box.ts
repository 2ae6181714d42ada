import type { ErrorReport } from "@box/errors";
import type { DiskRole, EnvironmentEntry } from "@box/rootfs";
import type { MachineExit, MachineRecord } from "@box/vm";
import type { BoxEvent } from "../events.ts";
import type { OperationSummary } from "../operations/operation.ts";
import type { Labels } from "./labels.ts";
import type { RunSettings } from "./run-settings.ts";
import type { BoxState } from "./states.ts";

/** What an image says about running its programs. */
export interface ImageConfig {
  /** The environment, in order, duplicates kept. */
  readonly environment: readonly EnvironmentEntry[];
  /** The program and its first arguments. */
  readonly entrypoint: readonly string[];
  /** Further arguments, or the program when there is no entry point. */
  readonly command: readonly string[];
  /** Where it runs; empty for the root folder. */
  readonly workingDirectory: string;
  /** As whom it runs; empty for root. */
  readonly user: string;
  /** By what signal it wants to be stopped, as the image says it: `SIGQUIT`, `QUIT` or a number. */
  readonly stopSignal?: string | undefined;
}

/** The system that boots: chosen when the box is created, and never changed silently. */
export type GuestRootfsChoice =
  /** A disk of its own, made from an image; box's own bootstrap image unless `reference` names another. */
  | { readonly type: "disk"; readonly reference?: string }
  /** Everything is in the initial RAM disk; there is no second disk. */
  | { readonly type: "initramfs" };

/** The system that boots, as the state records it. */
export type GuestRootfsRecord =
  | {
      readonly type: "disk";
      /** The image's reference; absent for box's own bootstrap image. */
      readonly reference?: string;
      /** Digest of the image's manifest, once it is known. */
      readonly imageDigest?: string;
      /** The environment of the image's config, once it is known. */
      readonly environment?: readonly EnvironmentEntry[];
    }
  | { readonly type: "initramfs" };

/** A box as the state records it. */
export interface BoxRecord {
  /** 32 hex digits. */
  readonly id: string;
  /** Its name, unique in a home. */
  readonly name: string;
  /** Where it is in its life. */
  readonly state: BoxState;
  /** The image that the user's disk is made from. */
  readonly image: { readonly reference: string; readonly digest?: string };
  /** What that image says about running its programs, once it is known. */
  readonly imageConfig?: ImageConfig;
  /** The system that boots. */
  readonly guestRootfs: GuestRootfsRecord;
  /** Size of the user's disk that was asked for; 10 GiB or the base's when absent. */
  readonly diskSizeBytes?: number;
  /** Its labels. */
  readonly labels: Labels;
  /** Whether it goes away when it has stopped. */
  readonly autoRemove: boolean;
  /** How it runs. */
  readonly run: RunSettings;
  /** How often in a row it was started again by its restart policy. */
  readonly restarts: number;
  /** Whether somebody stopped it, so that no restart policy starts it again. */
  readonly stopRequested: boolean;
  /** How its machine last ended. */
  readonly exit?: MachineExit;
  /** When it was created, in milliseconds since 1970. */
  readonly createdMs: number;
  /** When its record last changed, in milliseconds since 1970. */
  readonly updatedMs: number;
  /** Why its last operation failed. */
  readonly error?: ErrorReport;
}

/** A base disk, as the record of an overlay on it. */
export interface DiskBase {
  /** Canonical absolute path. */
  readonly path: string;
  /** Size of the file in bytes. */
  readonly sizeBytes: number;
  /** Its format. */
  readonly format: "raw" | "qcow2";
  /** Its key in the cache of bases; absent when it is none of this home's. */
  readonly key?: string;
  /** Digest of its content, when the cache knows it. */
  readonly digest?: string;
}

/** A disk that was made, as the state records it. */
export interface DiskRecord {
  /** Whose disk it is. */
  readonly role: DiskRole;
  /** What it is an overlay on; absent for a disk of its own. */
  readonly base?: DiskBase;
  /** Size of the virtual disk in bytes. */
  readonly virtualSizeBytes: number;
  /** When it was made, in milliseconds since 1970. */
  readonly madeMs: number;
}

/** A disk of a box, for people and programs. */
export interface DiskDetails extends DiskRecord {
  /** Path of the overlay. */
  readonly path: string;
}

/** A box in a list. */
export interface BoxSummary {
  /** 32 hex digits. */
  readonly id: string;
  /** Its name, unique in a home. */
  readonly name: string;
  /** Where it is in its life. */
  readonly state: BoxState;
  /** The image that the user's disk is made from. */
  readonly image: { readonly reference: string; readonly digest?: string };
  /** The system that boots. */
  readonly guestRootfs: GuestRootfsRecord;
  /** Its labels. */
  readonly labels: Labels;
  /** Whether it goes away when it has stopped. */
  readonly autoRemove: boolean;
  /** How it runs. */
  readonly run: RunSettings;
  /** How often in a row it was started again by its restart policy. */
  readonly restarts: number;
  /** Whether somebody stopped it, so that no restart policy starts it again. */
  readonly stopRequested: boolean;
  /** How its machine last ended. */
  readonly exit?: MachineExit;
  /** When it was created: ISO 8601, UTC. */
  readonly createdAt: string;
  /** When its record last changed: ISO 8601, UTC. */
  readonly updatedAt: string;
  /** Why its last operation failed. */
  readonly error?: ErrorReport;
}

/** Everything about a box. */
export interface BoxDetails extends BoxSummary {
  /** Its folder. */
  readonly directory: string;
  /** What its image says about running its programs. */
  readonly imageConfig?: ImageConfig;
  /** Its disks that were made. */
  readonly disks: { readonly user?: DiskDetails; readonly guest?: DiskDetails };
  /** The machine that it runs in, while it has one. */
  readonly machine?: MachineRecord;
  /** Its newest operations, newest first. */
  readonly operations: readonly OperationSummary[];
  /** What happened to it and its disks, and what warned or failed; oldest first. */
  readonly history: readonly BoxEvent[];
}

import type { PlanMetrics } from "@box/pipeline";
import type {
  ExecRequest,
  MachineExit,
  MachineLogName,
  MachineRecord,
  MachineSpec,
  StopStep,
} from "@box/vm";
import type { BoxDetails, BoxSummary } from "../boxes/box.ts";
import type { LockOptions } from "../boxes/box-options.ts";
import type { OperationOptions } from "../operations/run-operation.ts";

/** What `boxes.start` takes. */
export interface StartBoxOptions extends OperationOptions, LockOptions {
  /** Allows a new, empty user disk where the old one is absent or corrupt. A corrupt one is kept in quarantine. */
  readonly recreateDisk?: boolean;
  /** How long its machine lives: until it is stopped unless given, or at most two seconds longer than this process. */
  readonly lifetime?: MachineSpec["lifetime"];
  /** Whether its machine boots also where it could go on from the saved state of one that has booted. No unless given. */
  readonly bootsAlways?: boolean;
  /** How often in a row its restart policy has started it, this time included; 0, a start by somebody, unless given. */
  readonly restarts?: number;
}

/** What `boxes.stop` takes. */
export interface StopBoxOptions extends OperationOptions, LockOptions {
  /** How long the guest may take before its machine is ended by force; 10 seconds unless given, 0 asks nobody. */
  readonly graceMs?: number;
}

/** What `boxes.restart` takes. */
export interface RestartBoxOptions extends StartBoxOptions, StopBoxOptions {}

/** What starting a box gives. */
export interface StartedBox {
  /** The box as it is now. */
  readonly box: BoxDetails;
  /** Id of the operation. */
  readonly operation: string;
  /** Whether it was started, or ran already and was reached. */
  readonly outcome: "started" | "attached";
  /** The machine that it runs in. */
  readonly machine: MachineRecord;
  /** How long everything took. */
  readonly metrics: PlanMetrics;
}

/** What stopping a box gives. */
export interface StoppedBox {
  /** The box; it may have gone away, as it was to when it has stopped. */
  readonly box: BoxSummary;
  /** Id of the operation. */
  readonly operation: string;
  /** By which step its machine ended; `already` when it had none. */
  readonly step: StopStep;
  /** How its machine ended, when it ever had one. */
  readonly exit?: MachineExit;
}

/** What waiting for a box gives. */
export interface EndedBox {
  /** The box. */
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** How its machine ended. */
  readonly exit: MachineExit;
}

/** What `boxes.kill` takes. */
export interface KillBoxOptions extends OperationOptions, LockOptions {
  /** Such as `SIGHUP`; `SIGKILL` unless given. */
  readonly signalName?: string;
}

/** What a signal did. */
export interface KilledBox {
  /** The box as it is now; it may have gone away. */
  readonly box: BoxSummary;
  /** What got the signal: the box's program, or its machine, which was killed. */
  readonly reached: "program" | "machine";
}

/** What `boxes.logs` takes. */
export interface BoxLogsOptions {
  /** What the box's program wrote, which is what it is unless given, or what its kernel and its agent said. */
  readonly source?: MachineLogName;
  /** Only the last so many lines. */
  readonly tailLines?: number;
  /** Goes on with what is added until the box has stopped. */
  readonly follows?: boolean;
  /** Stops it. */
  readonly signal?: AbortSignal;
}

/** What `boxes.lookAt` and `boxes.readFiles` take. */
export interface ReadFilesOptions {
  /** Whether a link that the path itself is, is followed. No unless given. */
  readonly follows?: boolean;
  /** Breaks it off. */
  readonly signal?: AbortSignal;
}

/** What `boxes.writeFiles` takes. */
export interface WriteFilesOptions {
  /** Whether files get the owners that they have; they belong to root unless given. */
  readonly keepsOwners?: boolean;
  /** Breaks it off; what was written stays. */
  readonly signal?: AbortSignal;
}

/**
 * A command to run in a box. What is not given comes from the image: its environment, to which the given one is added, its
 * working folder and its user.
 */
export interface BoxExecRequest extends ExecRequest {}

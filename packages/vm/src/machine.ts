import type { ExecProcess, ExecRequest } from "./exec.ts";
import type { MachineRecord } from "./machine-record.ts";
import type { OpenPortForward, PortForward } from "./ports.ts";
import type { MachineStats } from "./stats.ts";
import type { GuestStream, StreamRequest } from "./streams.ts";

/** Why a machine is no more. */
export type MachineExitReason =
  | "stopped" // somebody asked it to
  | "killed" // somebody ended it by force
  | "exited" // its program ended, or the guest powered off
  | "crashed" // the guest panicked, or the process of the machine failed
  | "lost" // its process is gone and left no word
  | "host-rebooted"; // the host was started again

/** How a machine ended. */
export interface MachineExit {
  /** Why. */
  readonly reason: MachineExitReason;
  /** The exit code of its program, when it had one that ended. */
  readonly exitCode?: number;
  /** The signal that ended its program. */
  readonly signal?: string;
  /** What was said about it, for people. */
  readonly message?: string;
  /** When, in milliseconds since 1970, when somebody saw it. */
  readonly atMs?: number;
}

/** What the guest told when it was reached. */
export interface GuestInfo {
  /** The agent and the version of its protocol. */
  readonly agent: string;
  /** Whether it was initialised already, by this or by another process. */
  readonly isInitialized: boolean;
}

/** The program that a machine runs for. */
export interface ProgramRequest extends ExecRequest {
  /** Whether its input stays open for who attaches to it; it is at its end from the beginning unless said so. */
  readonly keepsInput?: boolean;
}

/** What makes a guest that was reached ready for commands. */
export interface GuestInit {
  /** Its host name. */
  readonly hostname: string;
  /**
   * The program of the machine, which it runs for: when it ends, the machine ends with its exit code. Without one the
   * machine runs until it is stopped.
   */
  readonly program?: ProgramRequest;
  /** Ports of the host that are listened on before its program starts, until the machine ends. */
  readonly forwards?: readonly PortForward[];
}

/** By which step a machine ended. */
export type StopStep =
  | "already" // it had ended before
  | "guest" // the guest ended by itself: its disks are written and unmounted
  | "terminated" // its process was asked to end
  | "killed"; // its process was killed

/** What stopping a machine did. */
export interface StopReport {
  /** Which step it took. */
  readonly step: StopStep;
  /** How the machine ended. */
  readonly exit: MachineExit;
}

/** Something that happened in a machine. Plain data. */
export type MachineEvent =
  | {
      /** The guest came to a stage of its start, such as `kernel`. */
      readonly type: "stage";
      readonly stage: string;
      /** Milliseconds since the machine was spawned. */
      readonly elapsedMs: number;
    }
  | {
      /** Not as it should be; the machine goes on. */
      readonly type: "warning";
      readonly code?: string;
      readonly message: string;
    }
  | {
      /** The machine has ended. */
      readonly type: "exited";
      readonly exit: MachineExit;
    };

/** What may end waiting for a machine or its guest. */
export interface MachineCallOptions {
  /** Stops the call. Unless said otherwise the machine goes on. */
  readonly signal?: AbortSignal;
  /** How long the guest may take in milliseconds; the engine's own deadline unless given. */
  readonly timeoutMs?: number;
}

/** What {@link Machine.stop} takes. */
export interface StopMachineOptions {
  /** Stops waiting for the guest; the machine may have ended or go on. */
  readonly signal?: AbortSignal;
  /** How long the guest may take to end by itself before its process is ended; 10 seconds unless given, 0 asks nobody. */
  readonly graceMs?: number;
}

/**
 * A handle on a machine. Several processes may have one on the same machine at once, and one process several.
 *
 * Closing the handle leaves the machine alone.
 */
export interface Machine extends AsyncDisposable {
  /** What is to be stored about it. */
  readonly record: MachineRecord;
  /**
   * Waits until the agent in the guest answers. Again is no failure.
   *
   * @throws VmError `VM_GUEST_TIMEOUT`, `VM_GUEST_PROTOCOL`, `VM_MACHINE_DIED`, `VM_DISK_IN_USE`.
   */
  connect(options?: MachineCallOptions): Promise<GuestInfo>;
  /**
   * Mounts the disks and makes the guest ready for commands, once in a machine's life: again, from whatever process, it does nothing.
   *
   * @throws VmError `VM_GUEST_FAILED`, `VM_GUEST_TIMEOUT`, `VM_MACHINE_DIED`; `VM_EXEC_*` when its program cannot be started.
   */
  initialize(init: GuestInit, options?: MachineCallOptions): Promise<void>;
  /**
   * Runs a command.
   *
   * @param options - `signal` ends the command with `SIGKILL`, whenever it aborts.
   * @throws VmError `VM_GUEST_NOT_READY`, `VM_EXEC_*`, `VM_MACHINE_DIED`. Nothing was run then.
   */
  exec(request: ExecRequest, options?: { readonly signal?: AbortSignal }): Promise<ExecProcess>;
  /**
   * Opens a stream to files or to a port of the guest.
   *
   * @param options - `signal` breaks it off, whenever it aborts.
   * @throws VmError `VM_GUEST_NOT_READY`, `VM_FILE_*`, `VM_PORT_REFUSED`, `VM_MACHINE_DIED`. Nothing was opened then.
   */
  open(request: StreamRequest, options?: { readonly signal?: AbortSignal }): Promise<GuestStream>;
  /**
   * Forwards more ports, all of them or none, until the machine ends; the processes that asked for it may end before.
   *
   * @returns All that are forwarded.
   * @throws VmError `VM_PORT_IN_USE`, `VM_SPEC_INVALID`, `VM_GUEST_NOT_READY`, `VM_MACHINE_DIED`.
   */
  forward(
    forwards: readonly PortForward[],
    options?: MachineCallOptions,
  ): Promise<readonly OpenPortForward[]>;
  /** What it uses now. @throws VmError `VM_GUEST_NOT_READY`, `VM_GUEST_TIMEOUT`, `VM_MACHINE_DIED`. */
  stats(options?: MachineCallOptions): Promise<MachineStats>;
  /**
   * The streams of the machine's program, from now on; all who attach get the same output, and it waits for the slowest of
   * them. The end of an input does not end the program's. Disposing leaves the program alone.
   *
   * @param options - `signal` leaves it.
   * @throws VmError `VM_NO_PROGRAM`, `VM_MACHINE_DIED`.
   */
  attach(options?: { readonly signal?: AbortSignal }): Promise<ExecProcess>;
  /**
   * Sends a signal, such as `SIGHUP`, to the process group of the machine's program.
   *
   * @throws VmError `VM_NO_PROGRAM`, `VM_GUEST_TIMEOUT` when the guest does not answer, `VM_MACHINE_DIED`.
   */
  signal(name: string, options?: MachineCallOptions): Promise<void>;
  /**
   * Ends the machine: the guest is asked first, then its process, then it is killed. Resolves when the process is gone and the
   * disks are free. A machine that has ended is no failure.
   *
   * @throws VmError `VM_STOP_FAILED` when it survives.
   */
  stop(options?: StopMachineOptions): Promise<StopReport>;
  /** How it ended, once it has. */
  wait(options?: { readonly signal?: AbortSignal }): Promise<MachineExit>;
  /** Gives the handle back; the machine goes on, its commands too. */
  close(): Promise<void>;
}

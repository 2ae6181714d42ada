import type { Machine, MachineEvent, MachineExit } from "./machine.ts";
import type { MachineRecord } from "./machine-record.ts";
import type { MachineSpec } from "./machine-spec.ts";

/** Whether an engine can run machines here. */
export interface EngineReport {
  /** Whether it can. */
  readonly isUsable: boolean;
  /** Its version, when it is there. */
  readonly version?: string;
  /** What speeds the machines up, such as `kvm`, or `none`. */
  readonly accelerator?: string;
  /** Why it cannot run, or why it runs without acceleration; one sentence for people. */
  readonly reason?: string;
}

/** What an engine knows of a machine without talking to its guest. */
export type MachineStatus =
  | { readonly state: "running" }
  | {
      readonly state: "gone";
      /** How it ended, when somebody saw it. */
      readonly exit?: MachineExit;
    };

/** What {@link Engine.spawn} and {@link Engine.attach} take. */
export interface EngineCallOptions {
  /** Stops it. A machine that was being spawned is gone when the call throws. */
  readonly signal?: AbortSignal;
  /** Hears what happens in the machine, as long as the handle is open. */
  readonly onEvent?: (event: MachineEvent) => void;
}

/**
 * Runs virtual machines. Machines outlive the engine object and, unless they belong to their owner, its process.
 *
 * `engineContract` of `@box/vm/testing` says by tests what every engine does.
 */
export interface Engine {
  /** Its name, in the records of its machines. */
  readonly name: string;
  /** Whether it can run machines here. Never throws because it cannot. */
  probe(options?: { readonly signal?: AbortSignal }): Promise<EngineReport>;
  /**
   * Starts the process of a machine and leaves its record in its folder. Resolves as soon as the process is there: the guest is
   * waited for by {@link Machine.connect}. When it throws, no process is left.
   *
   * @throws VmError `VM_SPEC_INVALID`, `VM_ENGINE_UNAVAILABLE`, `VM_SPAWN_FAILED`, `VM_NETWORK_UNSUPPORTED`, `VM_DISK_IN_USE`.
   */
  spawn(spec: MachineSpec, options?: EngineCallOptions): Promise<Machine>;
  /**
   * A handle on a machine that this or another process has spawned.
   *
   * @throws VmError `VM_MACHINE_GONE`, `VM_RECORD_FOREIGN`.
   */
  attach(record: MachineRecord, options?: EngineCallOptions): Promise<Machine>;
  /** Whether a machine still runs. Talks to nobody in it and waits for nothing. */
  look(record: MachineRecord): Promise<MachineStatus>;
  /**
   * The record of the machine that was last spawned in a folder, whether it still runs or not. Finds a machine whose
   * starter died before it could store the record anywhere else.
   *
   * @throws VmError `VM_RECORD_INVALID`; IoError when the folder cannot be read.
   */
  find(directory: string): Promise<MachineRecord | undefined>;
}

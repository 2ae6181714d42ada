import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf, identityOfProcess, toIoError } from "@box/io/node";
import type { Engine, EngineCallOptions, EngineReport, MachineStatus } from "../engine.ts";
import { VmError } from "../errors.ts";
import type { Machine, MachineExit } from "../machine.ts";
import { outputLogName } from "../machine-log.ts";
import {
  isMachineAlive,
  isOfEarlierBoot,
  type MachineRecord,
  parseMachineRecord,
} from "../machine-record.ts";
import { checkMachineSpec, type MachineSpec } from "../machine-spec.ts";
import type { EngineStep } from "./engine-step.ts";
import { InProcessMachine } from "./in-process-machine.ts";
import { SimulatedGuest } from "./simulated-guest.ts";

/** What an {@link InProcessEngine} is made from. */
export interface InProcessEngineOptions {
  /**
   * Called at each step before it is done. What it throws, the step throws; while it waits, the step waits; the step's
   * signal is passed on.
   */
  readonly onStep?: (step: EngineStep, signal: AbortSignal | undefined) => void | Promise<void>;
  /** Why it cannot run here; it can unless given. */
  readonly unusable?: string;
  /** The clock, in milliseconds since 1970. */
  readonly now?: () => number;
}

const name = "in-process";
const recordFile = "machine.json";
const exitFile = "exit.json";
/** Nothing that a test leaves behind lives longer. */
const longestLifeSeconds = 3600;

/** Guests by the id of their machine, so that every engine of this process reaches the same one. */
const guests = new Map<string, SimulatedGuest>();

/**
 * An engine for tests: each machine is a process of the host that does nothing, so that it can be killed and found again by
 * other processes, and programs of this process play what runs in it. No disk is opened.
 */
export class InProcessEngine implements Engine {
  readonly name: string = name;
  /** Every machine that this engine has spawned, the newest last. */
  readonly spawned: MachineRecord[] = [];
  readonly #options: InProcessEngineOptions;

  constructor(options: InProcessEngineOptions = {}) {
    this.#options = options;
  }

  async probe(): Promise<EngineReport> {
    const { unusable } = this.#options;
    if (unusable !== undefined) return { isUsable: false, reason: unusable };
    return { isUsable: true, version: "1", accelerator: "none" };
  }

  async spawn(spec: MachineSpec, options: EngineCallOptions = {}): Promise<Machine> {
    const { signal } = options;
    checkMachineSpec(spec);
    signal?.throwIfAborted();
    this.#requireUsable();
    await this.#step("spawn", signal);
    const child = await startProcess(spec);
    try {
      const record = this.#recordOf(spec, child);
      writeJson(join(spec.directory, recordFile), record);
      await this.#step("spawned", signal);
      signal?.throwIfAborted();
      guestOf(record);
      this.spawned.push(record);
      return this.#machine(record, options);
    } catch (error) {
      const gone = once(child, "exit");
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGKILL");
        await gone;
      }
      throw error;
    }
  }

  async attach(record: MachineRecord, options: EngineCallOptions = {}): Promise<Machine> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (record.engine !== name) {
      throw new VmError({
        code: "VM_RECORD_FOREIGN",
        message: `the machine runs on the engine ${record.engine}, not on ${name}`,
        details: { engine: record.engine },
      });
    }
    await this.#step("attach", signal);
    if (!isMachineAlive(record)) {
      throw new VmError({
        code: "VM_MACHINE_GONE",
        message: `the machine with process ${record.process.pid} has ended`,
        details: { pid: record.process.pid },
      });
    }
    return this.#machine(record, options);
  }

  async look(record: MachineRecord): Promise<MachineStatus> {
    if (isMachineAlive(record)) return { state: "running" };
    const exit = exitOf(record);
    return exit === undefined ? { state: "gone" } : { state: "gone", exit };
  }

  async find(directory: string): Promise<MachineRecord | undefined> {
    const value = readJson(join(directory, recordFile));
    return value === undefined ? undefined : parseMachineRecord(value);
  }

  /** Lets the guest of a machine answer nobody any more, as one that hangs. */
  makeDeaf(record: MachineRecord): void {
    guestOf(record).isDeaf = true;
  }

  #machine(record: MachineRecord, { onEvent }: EngineCallOptions): Machine {
    const { now = Date.now } = this.#options;
    return new InProcessMachine({
      record,
      guest: guestOf(record),
      step: (step, signal) => this.#step(step, signal),
      readExit: () => exitOf(record),
      writeExit: (exit) => {
        // Without its folder there is nobody to leave word for; it ends all the same.
        if (existsSync(record.directory) && exitOf(record) === undefined) {
          writeJson(join(record.directory, exitFile), { ...exit, machine: record.id, atMs: now() });
        }
      },
      onEvent,
    });
  }

  #recordOf(spec: MachineSpec, child: ChildProcess): MachineRecord {
    return {
      version: 1,
      engine: name,
      id: spec.id,
      boxId: spec.boxId,
      process: identityOfProcess(child.pid ?? 0),
      directory: spec.directory,
      sockets: {},
      startedMs: (this.#options.now ?? Date.now)(),
      lifetime: spec.lifetime,
      details: {
        output: join(spec.logDirectory, outputLogName),
        hasNetwork: spec.network === "user",
      },
    };
  }

  #requireUsable(): void {
    const { unusable } = this.#options;
    if (unusable === undefined) return;
    throw new VmError({
      code: "VM_ENGINE_UNAVAILABLE",
      message: `the engine ${name} cannot run here: ${unusable}`,
    });
  }

  async #step(step: EngineStep, signal: AbortSignal | undefined): Promise<void> {
    await this.#options.onStep?.(step, signal);
  }
}

function guestOf({ id, directory, details }: MachineRecord): SimulatedGuest {
  const guest = guests.get(id) ?? new SimulatedGuest(directory, String(details["output"]));
  guest.hasNetwork = details["hasNetwork"] === true;
  guests.set(id, guest);
  return guest;
}

/** One that ends with its owner waits for the end of its input. */
async function startProcess({ lifetime }: MachineSpec): Promise<ChildProcess> {
  const child =
    lifetime === "owner"
      ? spawn("cat", [], { stdio: ["pipe", "ignore", "ignore"] })
      : spawn("sleep", [String(longestLifeSeconds)], { detached: true, stdio: "ignore" });
  try {
    await once(child, "spawn");
  } catch (error) {
    throw new VmError({
      code: "VM_SPAWN_FAILED",
      message: "cannot start the process of a machine",
      cause: error,
    });
  }
  child.unref();
  (child.stdin as { unref?: () => void } | null)?.unref?.();
  return child;
}

function exitOf(record: MachineRecord): MachineExit | undefined {
  if (isOfEarlierBoot(record)) return { reason: "host-rebooted" };
  const found = readJson(join(record.directory, exitFile)) as
    | (MachineExit & { readonly machine: string })
    | undefined;
  if (found?.machine !== record.id) return undefined;
  const { machine: _, ...exit } = found;
  return exit;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    if (!(error instanceof SyntaxError)) throw toIoError(error, { action: "cannot read", path });
    throw new VmError({
      code: "VM_RECORD_INVALID",
      message: `the record of a machine is damaged: ${path} is no JSON`,
      details: { path },
      cause: error,
    });
  }
}

function writeJson(path: string, value: object): void {
  writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

import { errnoOf } from "@box/io/node";
import { VmError } from "../errors.ts";
import type { ExecExit, ExecProcess, ExecRequest } from "../exec.ts";
import type {
  GuestInfo,
  GuestInit,
  Machine,
  MachineCallOptions,
  MachineEvent,
  MachineExit,
  StopMachineOptions,
  StopReport,
} from "../machine.ts";
import { isMachineAlive, type MachineRecord } from "../machine-record.ts";
import type { OpenPortForward, PortForward } from "../ports.ts";
import { signalNumber } from "../signal-number.ts";
import type { MachineStats } from "../stats.ts";
import type { GuestStream, StreamRequest } from "../streams.ts";
import type { EngineStep } from "./engine-step.ts";
import { pause } from "./pause.ts";
import type { SimulatedGuest } from "./simulated-guest.ts";

/** What a handle is made from. */
export interface InProcessMachineOptions {
  readonly record: MachineRecord;
  readonly guest: SimulatedGuest;
  step(step: EngineStep, signal: AbortSignal | undefined): Promise<void>;
  readExit(): MachineExit | undefined;
  /** Leaves word of how it ended, unless there is one. */
  writeExit(exit: MachineExit): void;
  readonly onEvent: ((event: MachineEvent) => void) | undefined;
}

const pollMs = 10;
const defaultGraceMs = 10_000;
const defaultTimeoutMs = 10_000;

/** A handle on a machine of the in-process engine. */
export class InProcessMachine implements Machine {
  readonly record: MachineRecord;
  readonly #options: InProcessMachineOptions;
  #isClosed = false;

  constructor(options: InProcessMachineOptions) {
    this.record = options.record;
    this.#options = options;
    this.#watch();
  }

  async connect(options: MachineCallOptions = {}): Promise<GuestInfo> {
    await this.#options.step("connect", options.signal);
    await this.#answer("connect", options);
    const { guest, onEvent } = this.#options;
    const elapsedMs = Math.max(0, Date.now() - this.record.startedMs);
    onEvent?.({ type: "stage", stage: "agent", elapsedMs });
    return guest.info;
  }

  async initialize(init: GuestInit, options: MachineCallOptions = {}): Promise<void> {
    await this.#options.step("initialize", options.signal);
    await this.#answer("initialize", options);
    const isReady = this.#options.guest.info.isInitialized;
    const ended = this.#options.guest.initialize(init);
    if (!isReady) await this.#options.guest.forward(init.forwards ?? []);
    // Its program's end is the machine's end, whoever has a handle.
    ended?.then(
      (exit) => this.#powerOff(exit),
      () => {},
    );
  }

  async exec(
    request: ExecRequest,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<ExecProcess> {
    signal?.throwIfAborted();
    await this.#options.step("exec", signal);
    await this.#answer("exec", signal === undefined ? {} : { signal });
    return this.#options.guest.exec(request, signal);
  }

  async open(
    request: StreamRequest,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<GuestStream> {
    signal?.throwIfAborted();
    await this.#answer("open", signal === undefined ? {} : { signal });
    return this.#options.guest.open(request, signal);
  }

  async attach({ signal }: { readonly signal?: AbortSignal } = {}): Promise<ExecProcess> {
    signal?.throwIfAborted();
    await this.#answer("attach", signal === undefined ? {} : { signal });
    return this.#options.guest.requireProgram().attach(signal);
  }

  async forward(
    forwards: readonly PortForward[],
    options: MachineCallOptions = {},
  ): Promise<readonly OpenPortForward[]> {
    await this.#answer("forward", options);
    return this.#options.guest.forward(forwards);
  }

  async stats(options: MachineCallOptions = {}): Promise<MachineStats> {
    await this.#answer("stats", options);
    return this.#options.guest.stats();
  }

  async signal(name: string, options: MachineCallOptions = {}): Promise<void> {
    signalNumber(name);
    await this.#answer("signal", options);
    await this.#options.guest.requireProgram().kill(name);
  }

  async stop(options: StopMachineOptions = {}): Promise<StopReport> {
    const { signal, graceMs = defaultGraceMs } = options;
    signal?.throwIfAborted();
    if (!isMachineAlive(this.record)) return { step: "already", exit: this.#lastWord() };
    await this.#options.step("stop", signal);
    const isAsked = graceMs > 0;
    const deadline = Date.now() + graceMs;
    while (isAsked && this.#options.guest.isDeaf && Date.now() < deadline) {
      await pause(pollMs, signal);
    }
    const step = isAsked && !this.#options.guest.isDeaf ? "guest" : "killed";
    this.#options.writeExit({ reason: step === "guest" ? "stopped" : "killed" });
    await this.#end();
    return { step, exit: this.#lastWord() };
  }

  async wait({ signal }: { readonly signal?: AbortSignal } = {}): Promise<MachineExit> {
    while (isMachineAlive(this.record)) await pause(pollMs, signal);
    return this.#lastWord();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Waits for a guest that hangs until the time is over. */
  async #answer(what: string, { signal, timeoutMs = defaultTimeoutMs }: MachineCallOptions) {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      signal?.throwIfAborted();
      if (!isMachineAlive(this.record)) throw died(this.record);
      if (!this.#options.guest.isDeaf) return;
      if (Date.now() >= deadline) throw timedOut(what, timeoutMs);
      await pause(pollMs, signal);
    }
  }

  #powerOff({ exitCode, signal }: ExecExit): void {
    this.#options.writeExit({
      reason: "exited",
      exitCode,
      ...(signal === undefined ? {} : { signal }),
    });
    kill(this.record);
  }

  async #end(): Promise<void> {
    kill(this.record);
    while (isMachineAlive(this.record)) await pause(pollMs);
    this.#options.guest.die();
  }

  /** Lets what runs in the machine end with it, and tells who listens, until the handle is closed. */
  #watch(): void {
    const { guest, onEvent } = this.#options;
    if (isMachineAlive(this.record)) {
      if (!this.#isClosed) setTimeout(() => this.#watch(), pollMs).unref();
      return;
    }
    guest.die();
    onEvent?.({ type: "exited", exit: this.#lastWord() });
  }

  #lastWord(): MachineExit {
    return this.#options.readExit() ?? { reason: "lost" };
  }
}

function kill(record: MachineRecord): void {
  if (!isMachineAlive(record)) return;
  try {
    process.kill(record.process.pid, "SIGKILL");
  } catch (error) {
    if (errnoOf(error) !== "ESRCH") throw error;
  }
}

function died({ process: { pid } }: MachineRecord): VmError {
  return new VmError({
    code: "VM_MACHINE_DIED",
    message: `the machine with process ${pid} has ended`,
    details: { pid },
  });
}

function timedOut(what: string, timeoutMs: number): VmError {
  return new VmError({
    code: "VM_GUEST_TIMEOUT",
    message: `the guest did not answer within ${timeoutMs} ms: ${what}`,
    details: { timeoutMs },
  });
}

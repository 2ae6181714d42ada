import { setTimeout as delay } from "node:timers/promises";
import { errnoOf, isProcessAlive } from "@box/io/node";
import { VmError } from "../errors.ts";
import type { ExecProcess, ExecRequest } from "../exec.ts";
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
import { LinkClient } from "./link/link-client.ts";
import type { Call, Results } from "./link/messages.ts";
import { RemoteProcess } from "./link/remote-process.ts";
import { machineDied } from "./machine-died.ts";
import { machineStatus } from "./machine-folder.ts";
import { tailOf } from "./supervisor/rolling-log.ts";
import { untilAborted } from "./until-aborted.ts";

/** What {@link QemuMachine.open} takes. */
export interface OpenMachineOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: MachineEvent) => void) | undefined;
}

const bootTimeoutMs = 90_000;
const defaultTimeoutMs = 60_000;
const signalTimeoutMs = 5000;
const statsTimeoutMs = 5000;
const defaultGraceMs = 10_000;
const pollMs = 20;
/** How long a machine whose supervisor is gone may take to end after it was killed. */
const killMs = 5000;
const consoleTailBytes = 2048;

/** A handle on a machine of QEMU. All it does goes through the machine's supervisor. */
export class QemuMachine implements Machine {
  readonly record: MachineRecord;
  readonly #onEvent: ((event: MachineEvent) => void) | undefined;
  readonly #ended = Promise.withResolvers<MachineExit>();
  readonly #processes = new Set<RemoteProcess>();
  #link: LinkClient | undefined;
  #isClosed = false;

  private constructor(record: MachineRecord, { onEvent }: OpenMachineOptions) {
    this.record = record;
    this.#onEvent = onEvent;
  }

  /** A handle on a machine that runs. One whose supervisor is gone can only be ended. */
  static async open(record: MachineRecord, options: OpenMachineOptions): Promise<QemuMachine> {
    const machine = new QemuMachine(record, options);
    try {
      machine.#link = await LinkClient.open(record.sockets["supervisor"] ?? "", {
        signal: options.signal,
        onEvent: (event) => machine.#hear(event),
        onClose: () => void machine.#settle(),
      });
    } catch (error) {
      options.signal?.throwIfAborted();
      if (errnoOf(error) === undefined) throw error;
      void machine.#settle();
    }
    return machine;
  }

  async connect(options: MachineCallOptions = {}): Promise<GuestInfo> {
    const info = await this.#ask("the agent", { call: "connect" }, options, bootTimeoutMs);
    const elapsedMs = Math.max(0, Date.now() - this.record.startedMs);
    this.#onEvent?.({ type: "stage", stage: "agent", elapsedMs });
    return info;
  }

  async initialize(init: GuestInit, options: MachineCallOptions = {}): Promise<void> {
    await this.#ask("mounting its disks", { call: "initialize", init }, options, defaultTimeoutMs);
  }

  async exec(
    request: ExecRequest,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ExecProcess> {
    const call = (stream: number) => ({ call: "exec", request, stream }) as const;
    return this.#openStream("starting a command", call, options.signal);
  }

  async open(
    request: StreamRequest,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<GuestStream> {
    const asked = request.type === "connect" ? request : ({ type: "calls" } as const);
    const call = (stream: number) => ({ call: "open", request: asked, stream }) as const;
    const process = await this.#openStream("opening a stream", call, options.signal);
    if (request.type === "connect") return process;
    const { openFiles } = await import("./guest-files.ts");
    return openFiles(process, request);
  }

  async attach(options: { readonly signal?: AbortSignal } = {}): Promise<ExecProcess> {
    const call = (stream: number) => ({ call: "attach", stream }) as const;
    return this.#openStream("attaching to the program", call, options.signal);
  }

  async forward(
    forwards: readonly PortForward[],
    options: MachineCallOptions = {},
  ): Promise<readonly OpenPortForward[]> {
    const call = { call: "forward", forwards } as const;
    return this.#ask("listening on ports", call, options, defaultTimeoutMs);
  }

  async stats(options: MachineCallOptions = {}): Promise<MachineStats> {
    return this.#ask("telling what it uses", { call: "stats" }, options, statsTimeoutMs);
  }

  async signal(name: string, options: MachineCallOptions = {}): Promise<void> {
    const call = { call: "signal", signal: signalNumber(name) } as const;
    await this.#ask("taking a signal", call, options, signalTimeoutMs);
  }

  async stop(options: StopMachineOptions = {}): Promise<StopReport> {
    const { signal, graceMs = defaultGraceMs } = options;
    signal?.throwIfAborted();
    const status = machineStatus(this.record);
    if (status.state === "gone")
      return { step: "already", exit: status.exit ?? { reason: "lost" } };
    const report = await this.#link?.call({ call: "stop", graceMs }, signal);
    if (report !== undefined) return report;
    const isKilled = await this.#kill();
    const exit = await untilAborted(this.#ended.promise, signal);
    return { step: isKilled ? "killed" : "already", exit };
  }

  async wait({ signal }: { readonly signal?: AbortSignal } = {}): Promise<MachineExit> {
    const release = this.#link?.hold();
    try {
      return await untilAborted(this.#ended.promise, signal);
    } finally {
      release?.();
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#link?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #openStream(
    what: string,
    callFor: (stream: number) => Call,
    signal: AbortSignal | undefined,
  ): Promise<RemoteProcess> {
    signal?.throwIfAborted();
    const link = this.#link;
    if (link === undefined) throw this.#died();
    const process = new RemoteProcess(link);
    this.#processes.add(process);
    void process.over.then(() => this.#processes.delete(process));
    const asked = this.#ask(what, callFor(process.stream), {}, defaultTimeoutMs);
    try {
      await untilAborted(asked, signal);
    } catch (error) {
      // It may have been started meanwhile.
      asked.then(
        () => link.notify({ notice: "cancel", stream: process.stream }),
        () => {},
      );
      process.fail(error);
      throw error;
    }
    process.endWith(signal);
    return process;
  }

  /** Asks the supervisor, for no longer than a time. */
  async #ask<C extends Call>(
    what: string,
    call: C,
    { signal, timeoutMs }: MachineCallOptions,
    longestMs: number,
  ): Promise<Results[C["call"]]> {
    const limitMs = timeoutMs ?? longestMs;
    const timeout = AbortSignal.timeout(limitMs);
    const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    try {
      const result = await this.#link?.call(call, either);
      if (result === undefined) throw this.#died();
      return result;
    } catch (error) {
      signal?.throwIfAborted();
      if (timeout.aborted && error === timeout.reason) throw this.#timedOut(what, limitMs);
      throw error;
    }
  }

  #hear(event: MachineEvent): void {
    // The end is told when it is certain, by the close of the link.
    if (event.type !== "exited") this.#onEvent?.(event);
  }

  /** The link is closed: the machine ends or has ended, unless it was this handle that closed it. */
  async #settle(): Promise<void> {
    if (this.#isClosed) {
      const error = new VmError({ code: "VM_MACHINE_DIED", message: "the handle was closed" });
      for (const process of this.#processes) process.fail(error);
      return;
    }
    for (;;) {
      const status = machineStatus(this.record);
      if (status.state === "gone") {
        this.#finish(status.exit ?? { reason: "lost" });
        return;
      }
      await delay(pollMs);
    }
  }

  #finish(exit: MachineExit): void {
    this.#ended.resolve(exit);
    const error = this.#died();
    for (const process of this.#processes) process.fail(error);
    if (!this.#isClosed) this.#onEvent?.({ type: "exited", exit });
  }

  /** Kills a machine that nobody looks after. @returns Whether it was there. */
  async #kill(): Promise<boolean> {
    if (!isMachineAlive(this.record)) return false;
    const { pid } = this.record.process;
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if (errnoOf(error) !== "ESRCH") throw error;
    }
    for (const deadline = Date.now() + killMs; isProcessAlive(this.record.process); ) {
      if (Date.now() > deadline) {
        throw new VmError({
          code: "VM_STOP_FAILED",
          message: `process ${pid} of the machine has not ended ${killMs} ms after it was killed`,
          details: { pid },
        });
      }
      await delay(pollMs);
    }
    return true;
  }

  #died(): VmError {
    const status = machineStatus(this.record);
    if (status.state === "gone") return machineDied(this.record, status.exit);
    const { pid } = this.record.process;
    return new VmError({
      code: "VM_MACHINE_DIED",
      message: `the machine with process ${pid} is not looked after any more`,
      details: { pid },
      hint: "stop it, and start it again",
    });
  }

  #timedOut(what: string, timeoutMs: number): VmError {
    const log = this.record.details["console"];
    const consoleTail = typeof log === "string" ? tailOf(log, consoleTailBytes) : "";
    return new VmError({
      code: "VM_GUEST_TIMEOUT",
      message: `the guest did not answer within ${timeoutMs} ms: ${what}`,
      details: { timeoutMs, consoleTail },
    });
  }
}

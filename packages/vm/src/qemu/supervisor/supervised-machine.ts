import type { Server, Socket } from "node:net";
import { join } from "node:path";
import { VmError } from "../../errors.ts";
import type { ExecExit } from "../../exec.ts";
import type { GuestInfo, GuestInit, MachineEvent, StopReport } from "../../machine.ts";
import { consoleLogName, outputLogName } from "../../machine-log.ts";
import type { MachineRecord } from "../../machine-record.ts";
import type { MachineSpec } from "../../machine-spec.ts";
import type { OpenPortForward, PortForward } from "../../ports.ts";
import type { MachineStats } from "../../stats.ts";
import { machineDied } from "../machine-died.ts";
import { writeMachineExit } from "../machine-folder.ts";
import type { QmpClient } from "../qmp/qmp-client.ts";
import type { QmpEvent } from "../qmp/qmp-messages.ts";
import type { SaveTemplateOptions } from "../template/save-template.ts";
import type { GuestSession } from "./guest-session.ts";
import { hostStats } from "./host-stats.ts";
import { type LinkedMachine, LinkSession } from "./link-session.ts";
import { MachineLife } from "./machine-life.ts";
import { PortForwards } from "./port-forwards.ts";
import { Program } from "./program.ts";
import type { QemuProcess } from "./qemu-process.ts";
import { RollingLog, tailOf } from "./rolling-log.ts";

/** What a {@link SupervisedMachine} is made from. */
export interface SupervisedMachineOptions {
  readonly spec: MachineSpec;
  readonly record: MachineRecord;
  readonly qemu: QemuProcess;
  readonly qmp: QmpClient;
  readonly guest: GuestSession;
  readonly server: Server;
  readonly now: () => number;
  /** Where its state is saved before its disks are mounted; nowhere unless given. */
  readonly save: Omit<SaveTemplateOptions, "onResumed"> | undefined;
}

const consoleTailBytes = 2048;
/** How long the guest may take to end when its program has. */
const programGraceMs = 10_000;
/** How long handles may take to read the last that they are told. */
const goodbyeMs = 1000;
/** How often a machine that stands still for want of space is told to go on. */
const spaceRetryMs = 3000;

/** How much of a guest's time to end is for killing what has not ended by itself, and for its disks; half of it when it has less. */
const guestEndMs = 5000;
/** Far below what a frame can carry. */
const longestGraceMs = 3_600_000;

/** How long programs of a guest have to end by themselves, of the time that the guest has. */
function programsGraceMs(graceMs: number): number {
  return Math.min(Math.floor(Math.max(graceMs / 2, graceMs - guestEndMs)), longestGraceMs);
}

/** A machine, seen from the process that looks after it: it ends when the machine does, and the machine when it does. */
export class SupervisedMachine implements LinkedMachine {
  readonly guest: GuestSession;
  readonly #options: SupervisedMachineOptions;
  readonly #life: MachineLife;
  readonly #sessions = new Set<LinkSession>();
  readonly #console: RollingLog;
  readonly #output: RollingLog;
  readonly #recorded = Promise.withResolvers<void>();
  readonly #program: Program;
  readonly #forwards: PortForwards;
  /** Its state is saved, or was not to be. */
  readonly #saved: Promise<void>;
  /** Its guest stands still no more. */
  readonly #resumed = Promise.withResolvers<void>();
  #initializing: Promise<void> | undefined;
  #isMounted = false;
  #isInitialized = false;

  constructor(options: SupervisedMachineOptions) {
    const { qemu, qmp, spec, now } = options;
    this.#options = options;
    const consolePath = join(spec.logDirectory, consoleLogName);
    this.#console = new RollingLog(consolePath);
    this.#output = new RollingLog(join(spec.logDirectory, outputLogName));
    this.guest = options.guest;
    this.#forwards = new PortForwards(this.guest);
    this.#program = new Program({
      guest: this.guest,
      log: this.#output,
      // Its end is the end of the machine.
      onExit: (exit) => this.#programEnded(exit),
    });
    this.#life = new MachineLife({
      qemu,
      qmp,
      now,
      askGuest: (graceMs) =>
        void this.guest.ready.then(() => this.guest.shutDown(programsGraceMs(graceMs))),
      consoleTail: () => tailOf(consolePath, consoleTailBytes),
    });
    qemu.console.on("data", (chunk: Uint8Array) => this.#console.write(chunk));
    options.server.on("connection", (socket) => this.#welcome(socket));
    this.#saved = this.#save();
  }

  /** Takes what QEMU tells. */
  hear(event: QmpEvent): void {
    this.#life.hear(event);
    if (event.event === "BLOCK_IO_ERROR") this.#diskFailed(event.data);
  }

  /** Waits until the machine has ended and everybody was told. */
  async done(): Promise<void> {
    const exit = await this.#life.ended;
    this.#resumed.resolve();
    const { server, record } = this.#options;
    server.close();
    this.#forwards.close();
    writeMachineExit(record, exit);
    this.guest.fail(machineDied(record, exit));
    this.#tellAll({ type: "exited", exit });
    for (const log of [this.#console, this.#output]) log.close();
    this.#recorded.resolve();
    // Who asked for the end has its reply by then.
    await new Promise(setImmediate);
    await Promise.all([...this.#sessions].map((session) => session.end(goodbyeMs)));
    await this.#saved;
  }

  async connect(): Promise<GuestInfo> {
    const { version } = await this.guest.ready;
    // It may have hung since.
    await this.guest.ping();
    return { agent: `box-agent ${version}`, isInitialized: this.#isInitialized };
  }

  async initialize(init: GuestInit): Promise<void> {
    this.#initializing ??= this.#initialize(init);
    try {
      await this.#initializing;
    } finally {
      if (!this.#isInitialized) this.#initializing = undefined;
    }
  }

  async stop(graceMs: number): Promise<StopReport> {
    const report = await this.#life.stop(graceMs, { reason: "stopped" });
    await this.#recorded.promise;
    return report;
  }

  requireInitialized(): void {
    if (this.#isInitialized) return;
    throw new VmError({
      code: "VM_GUEST_NOT_READY",
      message: "the guest is not ready for commands",
    });
  }

  async forward(forwards: readonly PortForward[]): Promise<readonly OpenPortForward[]> {
    await this.#forwards.add(forwards);
    return this.#forwards.open;
  }

  async stats(): Promise<MachineStats> {
    const { qmp, qemu } = this.#options;
    const [guest, blocks] = await Promise.all([
      this.guest.stats(),
      qmp.execute("query-blockstats").catch(() => undefined),
    ]);
    const { memoryBytes, availableMemoryBytes, freeDiskBytes, ...rest } = guest;
    return {
      guest: {
        ...rest,
        memoryBytes,
        usedMemoryBytes: memoryBytes - availableMemoryBytes,
        usedDiskBytes: guest.diskBytes - freeDiskBytes,
      },
      host: hostStats(qemu.pid, blocks),
    };
  }

  requireProgram(): Program {
    if (this.#program.isRunning) return this.#program;
    throw new VmError({ code: "VM_NO_PROGRAM", message: "the machine has no program that runs" });
  }

  async #initialize({ hostname, program, forwards = [] }: GuestInit): Promise<void> {
    await this.guest.ready;
    await this.#resumed.promise;
    if (!this.#isMounted) {
      const warnings = await this.guest.mount(this.#options.spec, hostname);
      this.#isMounted = true;
      for (const { step, errno } of warnings) {
        const message = `the guest went on without ${JSON.stringify(step)}: error ${errno}`;
        this.#tellAll({ type: "warning", message });
      }
    }
    const added = this.#forwards.open.length === 0 ? forwards : [];
    await this.#forwards.add(added);
    if (program !== undefined) await this.#program.start(program);
    this.#isInitialized = true;
  }

  /** Saves its state when the agent answers, and nothing of the box is in it. Never fails: the next machine boots like this one. */
  async #save(): Promise<void> {
    const { save } = this.#options;
    const onResumed = () => this.#resumed.resolve();
    if (save === undefined) return onResumed();
    const isReady = await this.guest.ready.then(
      () => true,
      () => false,
    );
    if (!isReady) return onResumed();
    try {
      await this.guest.ping();
      const { saveTemplate } = await import("../template/save-template.ts");
      await saveTemplate({ ...save, onResumed });
    } catch (error) {
      const message = `no template for faster starts was saved: ${(error as Error).message}`;
      this.#tellAll({ type: "warning", message });
      // A guest that stands still for ever is worse than none.
      if (error instanceof Error && error.name === "StandstillError")
        this.#options.qemu.kill("SIGKILL");
    }
    onResumed();
  }

  #programEnded(exit: ExecExit): void {
    this.#life.stop(programGraceMs, { reason: "exited", ...exit }).catch(() => {});
  }

  #welcome(socket: Socket): void {
    const session = new LinkSession(socket, this);
    this.#sessions.add(session);
    socket.once("close", () => this.#sessions.delete(session));
  }

  /** A machine that found no space stands still; it goes on when there is some. */
  #diskFailed({
    operation,
    action,
    nospace,
    reason,
  }: Extract<QmpEvent, { readonly event: "BLOCK_IO_ERROR" }>["data"]): void {
    const code = nospace ? "VM_DISK_FULL" : undefined;
    const message = nospace
      ? "the host has no space for what the guest writes: the machine waits until there is some"
      : `a disk of the machine cannot be ${operation === "read" ? "read" : "written"}: ${reason}`;
    this.#tellAll({ type: "warning", message, ...(code === undefined ? {} : { code }) });
    if (action !== "stop" || !nospace) return;
    const { qmp } = this.#options;
    setTimeout(() => qmp.execute("cont").catch(() => {}), spaceRetryMs).unref();
  }

  #tellAll(event: MachineEvent): void {
    for (const session of this.#sessions) session.send({ answer: "event", event });
  }
}

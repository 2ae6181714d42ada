import { setTimeout as delay } from "node:timers/promises";
import { VmError } from "../../errors.ts";
import type { MachineExit, StopStep } from "../../machine.ts";
import type { QmpClient } from "../qmp/qmp-client.ts";
import type { QmpEvent } from "../qmp/qmp-messages.ts";
import type { ProcessEnd, QemuProcess } from "./qemu-process.ts";

/** What {@link MachineLife} is made from. */
export interface MachineLifeOptions {
  readonly qemu: Pick<QemuProcess, "kill" | "ended" | "said">;
  readonly qmp: Pick<QmpClient, "execute">;
  /** Asks the guest to power off, once it can be asked, within a time from now. */
  askGuest(graceMs: number): void;
  /** The end of what the guest wrote to its console. */
  consoleTail(): string;
  readonly now: () => number;
}

/** How long each step may take, in milliseconds. */
const quitAnswerMs = 500;
const quitMs = 5000;
const terminateMs = 500;
const killMs = 5000;

/** How a machine ends: by itself, or step by step when somebody wants it to. */
export class MachineLife {
  /** How it ended, once it has. */
  readonly ended: Promise<MachineExit>;
  readonly #options: MachineLifeOptions;
  readonly #hurry = new AbortController();
  #intent: MachineExit | undefined;
  #step: StopStep = "guest";
  #shutdown: Extract<QmpEvent, { readonly event: "SHUTDOWN" }>["data"] | undefined;
  #isPanicked = false;
  #forcing: Promise<void> | undefined;

  constructor(options: MachineLifeOptions) {
    this.#options = options;
    this.ended = options.qemu.ended.then((end) => ({
      ...this.#explain(end),
      atMs: options.now(),
    }));
  }

  /** Takes what QEMU tells. */
  hear(event: QmpEvent): void {
    if (event.event === "SHUTDOWN") this.#shutdown = event.data;
    if (event.event === "GUEST_PANICKED") this.#isPanicked = true;
  }

  /**
   * Ends it: the guest has `graceMs` to do it by itself, then QEMU is told, terminated and killed. Whoever has less patience
   * is heard too.
   *
   * @param intent - Why, when the guest does it; what is done by force is `killed`, unless it ended because its program has.
   * @throws VmError `VM_STOP_FAILED`.
   */
  async stop(
    graceMs: number,
    intent: MachineExit,
  ): Promise<{ readonly step: StopStep; readonly exit: MachineExit }> {
    if (graceMs > 0 && this.#forcing === undefined) {
      this.#intent ??= intent;
      this.#options.askGuest(graceMs);
      await Promise.race([
        this.ended,
        delay(graceMs, undefined, { signal: this.#hurry.signal }).catch(() => {}),
      ]);
    }
    if (!(await this.#hasEnded(0))) {
      this.#forcing ??= this.#force();
      await this.#forcing;
    }
    return { step: this.#step, exit: await this.ended };
  }

  async #force(): Promise<void> {
    this.#hurry.abort();
    if (this.#intent?.reason !== "exited") this.#intent = { reason: "killed" };
    this.#step = "terminated";
    const { qmp, qemu } = this.#options;
    const isQuitting = await qmp.execute("quit", undefined, { timeoutMs: quitAnswerMs }).then(
      () => true,
      () => false,
    );
    // It closes its disks before it ends, which may take a while; but only when it has heard.
    if (await this.#hasEnded(isQuitting ? quitMs : 0)) return;
    qemu.kill("SIGTERM");
    if (await this.#hasEnded(terminateMs)) return;
    this.#step = "killed";
    qemu.kill("SIGKILL");
    if (await this.#hasEnded(killMs)) return;
    this.#forcing = undefined;
    throw new VmError({
      code: "VM_STOP_FAILED",
      message: `the process of the machine has not ended ${killMs} ms after it was killed`,
    });
  }

  async #hasEnded(timeoutMs: number): Promise<boolean> {
    const late = new AbortController();
    const { signal } = late;
    try {
      return await Promise.race([
        this.ended.then(() => true),
        delay(timeoutMs, false, { signal }).catch(() => false),
      ]);
    } finally {
      late.abort();
    }
  }

  #explain({ code, signal }: ProcessEnd): MachineExit {
    if (this.#intent !== undefined) return this.#intent;
    if (this.#isPanicked || this.#shutdown?.reason === "guest-reset") {
      return { reason: "crashed", message: this.#withConsole("the guest's kernel gave up") };
    }
    if (this.#shutdown?.guest === true) return { reason: "exited" };
    if (signal === "SIGKILL" || signal === "SIGTERM") {
      return { reason: "killed", message: `its process got ${signal}` };
    }
    if (this.#shutdown !== undefined && code === 0) {
      return { reason: "killed", message: `its process was ended (${this.#shutdown.reason})` };
    }
    const end = signal === null ? `exit code ${code}` : `signal ${signal}`;
    const { said } = this.#options.qemu;
    return { reason: "crashed", message: this.#withConsole(`QEMU ended with ${end}: ${said}`) };
  }

  #withConsole(message: string): string {
    const tail = this.#options.consoleTail();
    return tail === "" ? message : `${message}; its console ends with:\n${tail}`;
  }
}

import { QmpClient } from "../qmp/qmp-client.ts";
import type { QmpEvent } from "../qmp/qmp-messages.ts";
import type { GuestSession } from "./guest-session.ts";
import { type QemuCommand, QemuProcess } from "./qemu-process.ts";

/** A QEMU that runs. */
export interface StartedQemu {
  readonly heard: HeardQemu;
  readonly guest: GuestSession;
  /** Its version, as it told it. */
  readonly version: string;
}

/** A QEMU with its monitor. What it tells before anybody listens is kept. */
export class HeardQemu {
  readonly qemu: QemuProcess;
  readonly qmp: QmpClient;
  readonly #early: QmpEvent[] = [];
  #listener: ((event: QmpEvent) => void) | undefined;

  private constructor(qemu: QemuProcess) {
    this.qemu = qemu;
    this.qmp = new QmpClient(qemu.qmp, {
      onEvent: (event) => (this.#listener ?? ((early) => this.#early.push(early)))(event),
    });
  }

  /** Starts it. @throws VmError `VM_SPAWN_FAILED`. */
  static async start(command: QemuCommand): Promise<HeardQemu> {
    const heard = new HeardQemu(await QemuProcess.start(command));
    // QEMU has much to do before it answers: what is needed then is loaded meanwhile.
    for (const loading of [import("./guest-session.ts"), import("./supervised-machine.ts")]) {
      loading.catch(() => {});
    }
    return heard;
  }

  /** The conversation with the agent of its guest; only one may ever be had. */
  async meetGuest(): Promise<GuestSession> {
    const { GuestSession } = await import("./guest-session.ts");
    return new GuestSession(this.qemu.agent);
  }

  /** Gives somebody all that QEMU tells, from the beginning. */
  listen(listener: (event: QmpEvent) => void): void {
    this.#listener = listener;
    for (const event of this.#early.splice(0)) listener(event);
  }

  /** Kills it; resolves when it is gone. */
  async end(): Promise<void> {
    this.qemu.kill("SIGKILL");
    await this.qemu.ended;
  }
}

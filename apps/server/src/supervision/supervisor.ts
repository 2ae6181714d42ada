import { isBoxError } from "@box/errors";
import type { BoxSummary } from "@box/runtime";
import { decideRestart, defaultTiming, type RestartTiming } from "./restart-decision.ts";

/** The part of the runtime that a supervisor needs; `runtime.boxes` has it. */
export interface SupervisedBoxes {
  /** Every box. */
  list(): Promise<readonly BoxSummary[]>;
  /** Resolves when the machine of a box has ended and that is on record. */
  wait(id: string, options: { readonly signal: AbortSignal }): Promise<unknown>;
  /** Starts a box. */
  start(
    id: string,
    options: { readonly restarts: number; readonly signal: AbortSignal },
  ): Promise<unknown>;
}

/** Where a supervisor takes its time from; tests give their own. */
export interface SupervisorClock {
  /** Milliseconds since any fixed moment. Never goes back. */
  monotonicMs(): number;
  /** Calls back once after `delayMs`; the result takes the call back. */
  after(delayMs: number, call: () => void): () => void;
}

/** What a {@link Supervisor} is made from. */
export interface SupervisorOptions {
  /** The boxes. */
  readonly boxes: SupervisedBoxes;
  /** Told what it does, and what failed. */
  readonly onNote?: (note: SupervisorNote) => void;
  /** Where time comes from; the machine's clock unless given. */
  readonly clock?: SupervisorClock;
  /** Chance: 0 or more, less than 1. */
  readonly random?: () => number;
  /** The pauses between two starts. */
  readonly timing?: Partial<RestartTiming>;
  /** How often boxes are looked for that other processes have started; every 2 seconds unless given. */
  readonly pollMs?: number;
}

/** Something that a supervisor tells. */
export interface SupervisorNote {
  /** What it is about. */
  readonly type: "waiting" | "started" | "failed";
  /** The box; absent when it is about all. */
  readonly box?: string;
  /** One sentence for people. */
  readonly message: string;
  /** Why it failed. */
  readonly error?: unknown;
}

const defaultPollMs = 2000;

/**
 * Honours the restart policies of boxes: waits for the machines of those that run, whoever started them, and starts a box
 * again after a pause that grows with each try, until somebody stops the box or its policy says that it is enough.
 *
 * What counts is what is on record, so that another supervisor goes on where one has ended.
 */
export class Supervisor {
  readonly #boxes: SupervisedBoxes;
  readonly #options: SupervisorOptions;
  readonly #clock: SupervisorClock;
  readonly #timing: RestartTiming;
  readonly #stop = new AbortController();
  /** What is being done, by the id of the box. */
  readonly #busy = new Map<string, Promise<void>>();
  #loop: Promise<void> = Promise.resolve();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#boxes = options.boxes;
    this.#clock = options.clock ?? systemClock;
    this.#timing = { ...defaultTiming, ...options.timing };
  }

  /** Begins. */
  start(): void {
    this.#loop = this.#run();
  }

  /** Ends: nothing is started any more, and what was being started has ended. Boxes go on. */
  async stop(): Promise<void> {
    this.#stop.abort(new DOMException("the server is stopping", "AbortError"));
    await this.#loop;
    await Promise.all(this.#busy.values());
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { pollMs = defaultPollMs } = this.#options;
    while (!signal.aborted) {
      await this.#look();
      await this.#pause(pollMs);
    }
  }

  async #look(): Promise<void> {
    try {
      for (const box of await this.#boxes.list()) {
        if (box.run.restart.type === "no" || this.#busy.has(box.id)) continue;
        if (box.state === "running") this.#keepBusy(box, () => this.#watch(box));
        else if (this.#decide(box, 0).type === "restart") {
          this.#keepBusy(box, () => this.#restart(box, 0));
        }
      }
    } catch (error) {
      this.#tell({ type: "failed", message: "cannot look at the boxes", error });
    }
  }

  #keepBusy(box: BoxSummary, work: () => Promise<void>): void {
    if (this.#stop.signal.aborted) return;
    const done = work()
      .catch((error: unknown) => this.#tellFailure(box, error))
      .finally(() => this.#busy.delete(box.id));
    this.#busy.set(box.id, done);
  }

  /** Waits for the end of a machine, then applies the policy at once. */
  async #watch(box: BoxSummary): Promise<void> {
    const { signal } = this.#stop;
    const begun = this.#clock.monotonicMs();
    await this.#boxes.wait(box.id, { signal });
    const ranForMs = this.#clock.monotonicMs() - begun;
    const now = await this.#find(box.id);
    if (now !== undefined) await this.#restart(now, ranForMs);
  }

  async #restart(box: BoxSummary, ranForMs: number): Promise<void> {
    const { signal } = this.#stop;
    const decision = this.#decide(box, ranForMs);
    if (decision.type === "stay") return;
    const { restarts, delayMs } = decision;
    this.#tell({
      type: "waiting",
      box: box.name,
      message: `box ${box.name} has ended and starts again in ${delayMs} ms`,
    });
    await this.#pause(delayMs);
    // Somebody may have stopped, started or removed it meanwhile.
    const now = await this.#find(box.id);
    if (signal.aborted || now === undefined) return;
    if (this.#decide(now, ranForMs).type === "stay") return;
    await this.#boxes.start(box.id, { restarts, signal });
    this.#tell({ type: "started", box: box.name, message: `started box ${box.name} again` });
  }

  #decide(box: BoxSummary, ranForMs: number): ReturnType<typeof decideRestart> {
    const { random = Math.random } = this.#options;
    return decideRestart({ ...box, ranForMs }, this.#timing, random());
  }

  async #find(id: string): Promise<BoxSummary | undefined> {
    return (await this.#boxes.list()).find((box) => box.id === id);
  }

  async #pause(delayMs: number): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    const cancel = this.#clock.after(delayMs, wake);
    signal.addEventListener("abort", wake);
    await promise;
    // The signal lives as long as the server.
    signal.removeEventListener("abort", wake);
    cancel();
  }

  #tellFailure({ name }: BoxSummary, error: unknown): void {
    if (this.#stop.signal.aborted) return;
    // It was removed while it was waited for.
    if (isBoxError(error) && error.code === "BOX_NOT_FOUND") return;
    this.#tell({ type: "failed", box: name, message: `cannot keep box ${name} running`, error });
  }

  #tell(note: SupervisorNote): void {
    this.#options.onNote?.(note);
  }
}

const systemClock: SupervisorClock = {
  monotonicMs: () => performance.now(),
  after: (delayMs, call) => {
    const timer = setTimeout(call, delayMs);
    return () => clearTimeout(timer);
  },
};

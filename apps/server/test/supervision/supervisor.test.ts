import { getEventListeners } from "node:events";
import { BoxError } from "@box/errors";
import type { BoxDetails, BoxSummary, RestartPolicy } from "@box/runtime";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  type SupervisedBoxes,
  Supervisor,
  type SupervisorNote,
} from "../../src/supervision/supervisor.ts";
import { boxDetails } from "../support/fake-boxes.ts";
import { ManualClock } from "./manual-clock.ts";

/** Boxes without machines: the test says what becomes of them. */
class FakeMachines implements SupervisedBoxes {
  readonly known = new Map<string, BoxDetails>();
  readonly starts: { readonly id: string; readonly restarts: number; readonly atMs: number }[] = [];
  readonly #ends = new Map<string, () => void>();
  readonly #clock: ManualClock;
  /** What the last wait was told to stop by. */
  signal = new AbortController().signal;
  /** What the next starts fail with. */
  failure: unknown;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  /** A box that runs. */
  add(restart: RestartPolicy, changes: Partial<BoxDetails> = {}): void {
    const box = boxDetails("web");
    const run = { ...box.run, restart };
    this.known.set(box.id, { ...box, state: "running", run, ...changes });
  }

  change(changes: Partial<BoxSummary>): void {
    for (const [id, box] of this.known) this.known.set(id, { ...box, ...changes });
  }

  /** Its machine ends by itself. */
  end(changes: Partial<BoxSummary> = { exit: { reason: "lost" } }): void {
    this.change({ state: "stopped", ...changes });
    for (const end of this.#ends.values()) end();
    this.#ends.clear();
  }

  async list(): Promise<readonly BoxSummary[]> {
    return [...this.known.values()];
  }

  async wait(id: string, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    this.signal = signal;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#ends.set(id, resolve);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    await promise;
    if (!this.known.has(id)) throw notFound();
  }

  async start(id: string, { restarts }: { readonly restarts: number }): Promise<void> {
    this.starts.push({ id, restarts, atMs: this.#clock.monotonicMs() });
    if (this.failure === undefined) this.change({ state: "running", restarts });
    else {
      this.change({ state: "failed", restarts });
      throw this.failure;
    }
  }
}

function notFound(): BoxError {
  return new BoxError({ code: "BOX_NOT_FOUND", kind: "not-found", message: "no box" });
}

function supervise() {
  const clock = new ManualClock();
  const boxes = new FakeMachines(clock);
  const notes: SupervisorNote[] = [];
  const supervisor = new Supervisor({
    boxes,
    clock,
    random: () => 0.5,
    onNote: (note) => notes.push(note),
  });
  supervisor.start();
  onTestFinished(() => supervisor.stop());
  return { clock, boxes, notes, supervisor };
}

/** When it was started again, in milliseconds. */
const times = (boxes: FakeMachines) => boxes.starts.map(({ atMs }) => atMs);

test("looking at boxes again and again leaves nothing on what stops it", async () => {
  const { clock, boxes } = supervise();
  boxes.add({ type: "always" });
  await clock.advance(2000);
  const before = getEventListeners(boxes.signal, "abort").length;
  for (let count = 0; count < 10; count += 1) await clock.advance(2000);
  expect(before).toBeGreaterThan(0);
  expect(getEventListeners(boxes.signal, "abort")).toHaveLength(before);
});

describe("a box whose machine ends", () => {
  test("is started again after a pause", async () => {
    const { clock, boxes, notes } = supervise();
    boxes.add({ type: "always" });
    await clock.advance(3000);
    boxes.end();
    await clock.advance(499);
    expect(boxes.starts).toEqual([]);
    await clock.advance(1);
    expect(boxes.starts).toEqual([{ id: "0".repeat(32), restarts: 1, atMs: 3500 }]);
    expect(notes.map(({ type }) => type)).toEqual(["waiting", "started"]);
  });

  test("each time after a longer pause, and after a good run after the first one again", async () => {
    const { clock, boxes } = supervise();
    boxes.add({ type: "on-failure" });
    for (let count = 0; count < 3; count += 1) {
      await clock.advance(2000);
      boxes.end();
      await clock.advance(6000);
    }
    expect(boxes.starts.map(({ restarts }) => restarts)).toEqual([1, 2, 3]);
    const before = clock.monotonicMs();
    await clock.advance(20_000);
    boxes.end();
    await clock.advance(5000);
    expect(boxes.starts.at(-1)).toMatchObject({ restarts: 1, atMs: before + 20_500 });
  });

  test("stays when its policy says so", async () => {
    const { clock, boxes, notes } = supervise();
    boxes.add({ type: "no" });
    boxes.end();
    await clock.advance(100_000);
    boxes.add({ type: "on-failure" });
    await clock.advance(3000);
    boxes.end({ exit: { reason: "exited", exitCode: 0 } });
    await clock.advance(100_000);
    expect([boxes.starts, notes]).toEqual([[], []]);
  });

  test("stays when somebody stopped it, also in the pause", async () => {
    const { clock, boxes } = supervise();
    boxes.add({ type: "always" });
    await clock.advance(3000);
    boxes.end({ exit: { reason: "stopped" }, stopRequested: true });
    await clock.advance(100_000);
    expect(boxes.starts).toEqual([]);
    boxes.change({ state: "running", stopRequested: false });
    await clock.advance(3000);
    boxes.end();
    await clock.advance(100);
    boxes.change({ stopRequested: true });
    await clock.advance(100_000);
    expect(boxes.starts).toEqual([]);
  });

  test("is not started twice when somebody else starts it in the pause", async () => {
    const { clock, boxes } = supervise();
    boxes.add({ type: "always" });
    await clock.advance(3000);
    boxes.end();
    await clock.advance(100);
    boxes.change({ state: "running" });
    await clock.advance(100_000);
    expect(boxes.starts).toEqual([]);
    boxes.end();
    await clock.advance(1000);
    expect(boxes.starts).toHaveLength(1);
  });

  test("and that is removed is forgotten without a word", async () => {
    const { clock, boxes, notes } = supervise();
    boxes.add({ type: "always" });
    await clock.advance(3000);
    boxes.known.clear();
    boxes.end();
    await clock.advance(100_000);
    expect([boxes.starts, notes]).toEqual([[], []]);
  });
});

describe("a start that fails", () => {
  test("is tried again, less and less often, and told each time", async () => {
    const { clock, boxes, notes } = supervise();
    boxes.failure = new Error("full");
    boxes.add({ type: "always" });
    await clock.advance(1000);
    boxes.end();
    await clock.advance(40_000);
    const pauses = times(boxes).map((time, index, all) => time - (all[index - 1] ?? 1000));
    expect(pauses.length).toBeGreaterThan(3);
    expect(pauses.every((pause, index) => pause >= 500 * 2 ** index)).toBe(true);
    expect(notes.filter(({ type }) => type === "failed")).toHaveLength(pauses.length);
    boxes.failure = undefined;
    await clock.advance(100_000);
    expect((await boxes.list())[0]?.state).toBe("running");
  });

  test("is given up after as many retries as the policy has", async () => {
    const { clock, boxes } = supervise();
    boxes.failure = new Error("full");
    boxes.add({ type: "on-failure", maxRetries: 3 });
    await clock.advance(1000);
    boxes.end();
    await clock.advance(1_000_000);
    expect(boxes.starts.map(({ restarts }) => restarts)).toEqual([1, 2, 3]);
  });
});

describe("a supervisor that begins", () => {
  test("starts what ended while there was none, and goes on counting", async () => {
    const { clock, boxes } = supervise();
    const exit = { reason: "host-rebooted" } as const;
    boxes.add({ type: "always" }, { state: "stopped", exit, restarts: 2 });
    await clock.advance(10_000);
    expect(boxes.starts).toEqual([{ id: "0".repeat(32), restarts: 3, atMs: 4000 }]);
  });

  test("and ends starts nothing any more, and leaves boxes alone", async () => {
    const { clock, boxes, supervisor, notes } = supervise();
    boxes.add({ type: "always" });
    await clock.advance(3000);
    boxes.end();
    await clock.advance(100);
    await supervisor.stop();
    await clock.advance(100_000);
    expect(boxes.starts).toEqual([]);
    expect(notes.map(({ type }) => type)).toEqual(["waiting"]);
  });

  test("goes on when the boxes cannot be looked at for a while", async () => {
    const { clock, boxes, notes } = supervise();
    const { list } = boxes;
    boxes.list = async () => {
      throw new Error("busy");
    };
    await clock.advance(5000);
    expect(notes.at(-1)).toMatchObject({ type: "failed", error: { message: "busy" } });
    boxes.list = list;
    boxes.add({ type: "always" });
    await clock.advance(3000);
    boxes.end();
    await clock.advance(1000);
    expect(boxes.starts).toHaveLength(1);
  });
});

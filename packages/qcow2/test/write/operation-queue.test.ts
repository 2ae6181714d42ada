import { describe, expect, it } from "vitest";
import { OperationQueue } from "../../src/write/operation-queue.ts";

/** A walk that is inside a step until it is let go. */
function heldWalk() {
  const held = Promise.withResolvers<void>();
  async function* walk(): AsyncGenerator<number> {
    yield 1;
    await held.promise;
    yield 2;
  }
  return { walk: walk(), letGo: held.resolve };
}

/** Whether a promise is settled once everything that can go on has gone on. */
async function isDone(promise: Promise<void>): Promise<boolean> {
  const later = new Promise<false>((resolve) => setImmediate(() => resolve(false)));
  return Promise.race([promise.then(() => true), later]);
}

describe("the steps of a walk", () => {
  it("are reads that a change waits for, and the time between them is not", async () => {
    const queue = new OperationQueue();
    const { walk, letGo } = heldWalk();
    const steps = queue.trackSteps(walk, () => {});
    expect(await steps.next()).toEqual({ done: false, value: 1 });
    expect(await isDone(queue.readsDone())).toBe(true);
    const step = steps.next();
    const done = queue.readsDone();
    expect(await isDone(done)).toBe(false);
    letGo();
    expect(await step).toEqual({ done: false, value: 2 });
    expect(await isDone(done)).toBe(true);
  });

  it("end where it is refused to go on", async () => {
    const queue = new OperationQueue();
    const steps = queue.trackSteps(heldWalk().walk, () => {
      throw new Error("it is closed");
    });
    await expect(steps.next()).rejects.toThrow("it is closed");
    expect(await isDone(queue.readsDone())).toBe(true);
  });
});

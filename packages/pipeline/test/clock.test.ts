import { getEventListeners } from "node:events";
import { pause, systemClock } from "@box/pipeline";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ManualClock, settleMicrotasks } from "./manual-clock.ts";

describe("the machine's clock", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test.each([0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 5, 3 * 2 ** 31])(
    "calls back after %i ms, once and not before",
    (delayMs) => {
      const call = vi.fn();
      systemClock.after(delayMs, call);
      if (delayMs > 0) vi.advanceTimersByTime(delayMs - 1);
      expect(call).toHaveBeenCalledTimes(0);
      vi.advanceTimersByTime(1);
      expect(call).toHaveBeenCalledTimes(1);
      vi.advanceTimersByTime(2 ** 33);
      expect(call).toHaveBeenCalledTimes(1);
    },
  );

  test("takes a call back at any time of a long wait", () => {
    const call = vi.fn();
    const cancel = systemClock.after(3 * 2 ** 31, call);
    vi.advanceTimersByTime(2 ** 32);
    cancel();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(2 ** 33);
    expect(call).not.toHaveBeenCalled();
  });

  test("never calls back after an infinite time, and needs no timer for it", () => {
    systemClock.after(Number.POSITIVE_INFINITY, vi.fn())();
    systemClock.after(Number.POSITIVE_INFINITY, vi.fn());
    expect(vi.getTimerCount()).toBe(0);
  });

  test("waits for a time that no host has a timer for", () => {
    const call = vi.fn();
    systemClock.after(Number.MAX_SAFE_INTEGER, call);
    vi.advanceTimersByTime(2 ** 40);
    expect(call).not.toHaveBeenCalled();
  });
});

describe("a pause", () => {
  test("leaves nothing on a signal that lives longer", async () => {
    const clock = new ManualClock();
    const { signal } = new AbortController();
    for (let round = 0; round < 3; round += 1) {
      const paused = pause(clock, 10, signal);
      expect(getEventListeners(signal, "abort")).toHaveLength(1);
      await clock.advance(10);
      await paused;
      expect(getEventListeners(signal, "abort")).toHaveLength(0);
    }
  });

  test("ends when the signal aborts, and leaves no timer", async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const paused = pause(clock, 10, controller.signal);
    await settleMicrotasks();
    expect(clock.pending).toBe(1);
    controller.abort();
    await paused;
    await pause(clock, 10, controller.signal);
    expect([clock.pending, getEventListeners(controller.signal, "abort")]).toEqual([0, []]);
  });
});

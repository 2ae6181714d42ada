import { once } from "@box/pipeline";
import { describe, expect, test } from "vitest";
import { settleMicrotasks } from "./manual-clock.ts";

describe("once", () => {
  test("shares one run among callers at the same time, and its value with later ones", async () => {
    let runs = 0;
    const shared = once(async () => {
      runs += 1;
      await settleMicrotasks();
      return runs;
    });
    expect(await Promise.all([shared(), shared(), shared()])).toEqual([1, 1, 1]);
    expect(await shared()).toBe(1);
    expect(runs).toBe(1);
  });

  test("does not remember a failure", async () => {
    let runs = 0;
    const shared = once(async () => {
      runs += 1;
      if (runs === 1) throw new Error("first");
      return runs;
    });
    const both = await Promise.allSettled([shared(), shared()]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await shared()).toBe(2);
    expect(runs).toBe(2);
  });

  test("lets one caller leave without stopping the others", async () => {
    const gate = Promise.withResolvers<string>();
    let stopped = false;
    const shared = once((signal) => {
      signal.addEventListener("abort", () => {
        stopped = true;
      });
      return gate.promise;
    });
    const controller = new AbortController();
    const leaving = shared({ signal: controller.signal });
    const staying = shared();
    await settleMicrotasks();
    controller.abort(new Error("left"));
    await expect(leaving).rejects.toThrow("left");
    gate.resolve("value");
    expect(await staying).toBe("value");
    expect(stopped).toBe(false);
  });

  test("stops the work when nobody waits, and starts anew only once it has stopped", async () => {
    const log: string[] = [];
    const gate = Promise.withResolvers<void>();
    const shared = once(async (signal) => {
      log.push("begins");
      if (log.length > 1) return log.length;
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      await gate.promise;
      log.push("stopped");
      throw signal.reason;
    });
    const controller = new AbortController();
    const first = shared({ signal: controller.signal });
    await settleMicrotasks();
    controller.abort(new Error("left"));
    const second = shared();
    await settleMicrotasks();
    expect(log).toEqual(["begins"]);
    gate.resolve();
    await expect(first).rejects.toThrow("left");
    expect(await second).toBe(3);
    expect(log).toEqual(["begins", "stopped", "begins"]);
  });

  test("keeps the value of work that finished although it was told to stop", async () => {
    const gate = Promise.withResolvers<void>();
    let runs = 0;
    const shared = once(async () => {
      runs += 1;
      await gate.promise;
      return runs;
    });
    const controller = new AbortController();
    const first = shared({ signal: controller.signal });
    await settleMicrotasks();
    controller.abort();
    const second = shared({ signal: new AbortController().signal });
    gate.resolve();
    expect(await Promise.all([first, second])).toEqual([1, 1]);
    expect(runs).toBe(1);
  });

  test("lets the last caller go only when the work has stopped", async () => {
    const gate = Promise.withResolvers<void>();
    const shared = once(async () => {
      await gate.promise;
      throw new Error("stopped at last");
    });
    const controller = new AbortController();
    let hasLeft = false;
    const leaving = shared({ signal: controller.signal }).finally(() => {
      hasLeft = true;
    });
    await settleMicrotasks();
    controller.abort(new Error("left"));
    await settleMicrotasks();
    expect(hasLeft).toBe(false);
    gate.resolve();
    await expect(leaving).rejects.toThrow("left");
  });

  test("refuses a caller whose signal has aborted already", async () => {
    let runs = 0;
    const shared = once(async () => {
      runs += 1;
    });
    await expect(shared({ signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow("no");
    expect(runs).toBe(0);
  });
});

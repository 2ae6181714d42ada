import { getEventListeners } from "node:events";
import { setTimeout } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { openTestRuntime } from "./test-home.ts";

test("following an operation leaves nothing on the signal that stops it", async () => {
  const { runtime, images } = await openTestRuntime();
  const gate = Promise.withResolvers<void>();
  images.gate = gate.promise;
  const operation = "a".repeat(32);
  const creating = runtime.boxes.create({ image: "app", name: "web", operation });
  await expect.poll(() => runtime.operations.list()).toHaveLength(1);
  const { signal } = new AbortController();
  const follow = async () => {
    for await (const _event of runtime.operations.follow(operation, { signal, pollMs: 1 }));
  };
  const following = follow();
  await setTimeout(100);
  expect(getEventListeners(signal, "abort").length).toBeLessThanOrEqual(1);
  gate.resolve();
  await creating;
  await following;
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

describe("removing a box that is told to stop", () => {
  test("stops before it has begun, and goes on to the end after that", async () => {
    const { runtime } = await openTestRuntime();
    await runtime.boxes.create({ image: "app", name: "web" });
    const before = runtime.boxes.remove("web", { signal: AbortSignal.abort(new Error("stop")) });
    await expect(before).rejects.toThrow("stop");
    expect(await runtime.boxes.list()).toMatchObject([{ name: "web", state: "created" }]);
    const controller = new AbortController();
    const { operation } = await runtime.boxes.remove("web", {
      signal: controller.signal,
      onEvent: ({ type }) => type === "started" && controller.abort(),
    });
    expect(controller.signal.aborted).toBe(true);
    expect(await runtime.operations.get(operation)).toMatchObject({ state: "succeeded" });
    expect(await runtime.boxes.list()).toEqual([]);
  });
});

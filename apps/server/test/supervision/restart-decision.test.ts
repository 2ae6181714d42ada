import type { BoxSummary, RestartPolicy } from "@box/runtime";
import { describe, expect, test } from "vitest";
import { decideRestart, defaultTiming } from "../../src/supervision/restart-decision.ts";

type Facts = Parameters<typeof decideRestart>[0];

const middle = 0.5;

function decide(restart: RestartPolicy, facts: Partial<Facts>, random: number = middle) {
  const ended = {
    run: { memoryMiB: 256, cpus: 1, restart },
    state: "stopped" as BoxSummary["state"],
    exit: { reason: "lost" } as const,
    restarts: 0,
    stopRequested: false,
    ranForMs: 0,
    ...facts,
  };
  return decideRestart(ended, defaultTiming, random);
}

const again = { type: "restart", restarts: 1, delayMs: 500 };
const stay = { type: "stay", because: expect.any(String) };
const exited = (exitCode: number) => ({ exit: { reason: "exited", exitCode } as const });

describe("a policy decides by how the machine ended", () => {
  test.each([
    ["no", {}, stay],
    ["always", {}, again],
    ["always", exited(0), again],
    ["always", { exit: { reason: "stopped" } as const }, again],
    ["always", { state: "failed" as const }, again],
    ["on-failure", {}, again],
    ["on-failure", exited(0), stay],
    ["on-failure", exited(1), again],
    ["on-failure", { exit: { reason: "crashed" } as const }, again],
    ["on-failure", { exit: { reason: "host-rebooted" } as const }, again],
    ["on-failure", { exit: { reason: "stopped" } as const }, stay],
    ["on-failure", { state: "failed" as const, exit: { reason: "stopped" } as const }, again],
  ] as const)("%s with %j", (type, facts, expected) => {
    expect(decide({ type }, facts)).toEqual(expected);
  });

  test.each(["always", "on-failure"] as const)("%s never overrides somebody", (type) => {
    expect(decide({ type }, { stopRequested: true })).toEqual(stay);
  });

  test.each(["created", "starting", "running", "stopping", "removing"] as const)(
    "a box that is %s is left alone",
    (state) => {
      expect(decide({ type: "always" }, { state })).toEqual(stay);
    },
  );

  test("a box that never ran is left alone", () => {
    expect(decide({ type: "always" }, { state: "failed", exit: undefined })).toEqual(stay);
  });
});

describe("pauses", () => {
  test("double with each try, up to a most", () => {
    const delays = [0, 1, 2, 3, 6, 7, 8, 1000].map((restarts) => {
      const decision = decide({ type: "always" }, { restarts });
      return decision.type === "restart" && decision.delayMs;
    });
    expect(delays).toEqual([500, 1000, 2000, 4000, 32_000, 60_000, 60_000, 60_000]);
  });

  test("have a part that is up to chance", () => {
    const delay = (random: number) => decide({ type: "always" }, {}, random);
    expect(delay(0)).toMatchObject({ delayMs: 375 });
    expect(delay(0.999_999)).toMatchObject({ delayMs: 625 });
  });

  test("begin anew after a good run", () => {
    const tried = { restarts: 7, ranForMs: defaultTiming.goodRunMs };
    expect(decide({ type: "always" }, tried)).toEqual(again);
    expect(decide({ type: "always" }, { ...tried, ranForMs: 9_999 })).toMatchObject({
      restarts: 8,
    });
  });
});

test("a most of retries is kept, and counts anew after a good run", () => {
  const policy = { type: "on-failure", maxRetries: 2 } as const;
  expect(decide(policy, { restarts: 1 })).toMatchObject({ type: "restart", restarts: 2 });
  expect(decide(policy, { restarts: 2 })).toEqual(stay);
  expect(decide(policy, { restarts: 2, ranForMs: 10_000 })).toMatchObject({ restarts: 1 });
});

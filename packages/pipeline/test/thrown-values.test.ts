import { definePlan, defineTask, settlePlan, systemClock } from "@box/pipeline";
import { describe, expect, test } from "vitest";

const values: Readonly<Record<string, () => unknown>> = {
  null: () => null,
  "an object without a prototype": () => Object.create(null),
  "a symbol": () => Symbol("x"),
  "a proxy that was revoked": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  "an error whose message throws": () =>
    Object.defineProperty(new Error("x"), "message", {
      get: () => {
        throw new Error("no message");
      },
    }),
};

describe("a run ends whatever a task throws:", () => {
  test.each(Object.entries(values))("%s", { timeout: 5000 }, async (_, make) => {
    const thrown = make();
    const log: string[] = [];
    const task = defineTask({
      name: "odd",
      retry: { attempts: 2 },
      run: (_, { defer }) => {
        defer(() => {
          log.push("cleaned up");
        });
        throw thrown;
      },
    });
    const types: string[] = [];
    const result = await settlePlan(definePlan({ name: "p" }).stage([task]), {
      onEvent: ({ type }) => types.push(type),
    });
    expect([result.ok, types, log]).toEqual([false, ["started", "failed"], ["cleaned up"]]);
    expect(!result.ok && Object.is(result.error, thrown)).toBe(true);
  });

  test("and whatever its clock throws", { timeout: 5000 }, async () => {
    const task = defineTask({ name: "a", run: () => undefined });
    let asked = 0;
    const clock = {
      ...systemClock,
      now: () => {
        asked += 1;
        if (asked > 1) throw new Error(`no time ${asked}`);
        return 0;
      },
    };
    const result = await settlePlan(definePlan({ name: "p" }).stage([task]), { clock });
    expect(result).toMatchObject({ ok: false, error: { message: "no time 2" } });
    expect(result.metrics.tasks).toMatchObject([{ outcome: "failed" }]);
  });
});

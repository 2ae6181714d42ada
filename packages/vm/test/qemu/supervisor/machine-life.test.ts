import type { MachineExit } from "@box/vm";
import { describe, expect, test } from "vitest";
import { MachineLife } from "../../../src/qemu/supervisor/machine-life.ts";
import type { ProcessEnd } from "../../../src/qemu/supervisor/qemu-process.ts";

const timestamp = { seconds: 1, microseconds: 0 };
const exited: ProcessEnd = { code: 0, signal: null };

/** A machine whose QEMU does what a test says. */
function makeLife(
  reactions: { readonly quit?: "ends" | "ignores"; readonly endsBy?: string } = {},
) {
  const ended = Promise.withResolvers<ProcessEnd>();
  const signals: string[] = [];
  const asked: number[] = [];
  const life = new MachineLife({
    qemu: {
      ended: ended.promise,
      said: "out of luck",
      kill: (signal) => {
        signals.push(signal);
        if (signal === reactions.endsBy) ended.resolve({ code: null, signal });
      },
    },
    qmp: {
      execute: async () => {
        if (reactions.quit === undefined) throw new Error("no answer");
        if (reactions.quit === "ends") ended.resolve(exited);
      },
    },
    askGuest: (graceMs) => {
      asked.push(graceMs);
    },
    consoleTail: () => "the last words",
    now: () => 5,
  });
  return { life, end: ended.resolve, signals, asked };
}

describe("a machine that ends by itself", () => {
  test.each<[string, string | undefined, ProcessEnd, Partial<MachineExit>]>([
    ["powered off", "guest-shutdown", exited, { reason: "exited" }],
    ["reset by a panic", "guest-reset", exited, { reason: "crashed" }],
    ["told to by somebody else", "host-qmp-quit", exited, { reason: "killed" }],
    ["killed", undefined, { code: null, signal: "SIGKILL" }, { reason: "killed" }],
    ["terminated", "host-signal", { code: null, signal: "SIGTERM" }, { reason: "killed" }],
    ["aborted", undefined, { code: null, signal: "SIGABRT" }, { reason: "crashed" }],
    ["failed", undefined, { code: 1, signal: null }, { reason: "crashed" }],
  ])("as one that was %s", async (_, reason, end, expected) => {
    const { life, end: finish } = makeLife();
    if (reason !== undefined) {
      const data = { guest: reason.startsWith("guest"), reason };
      life.hear({ event: "SHUTDOWN", timestamp, data });
    }
    finish(end);
    expect(await life.ended).toMatchObject({ ...expected, atMs: 5 });
  });

  test("by a crash tells its signal, what QEMU said and its console", async () => {
    const { life, end } = makeLife();
    end({ code: null, signal: "SIGSEGV" });
    const { message } = await life.ended;
    expect(message).toBe(
      "QEMU ended with signal SIGSEGV: out of luck; its console ends with:\nthe last words",
    );
  });

  test("by a panic has crashed, however its QEMU ends then", async () => {
    const { life, end } = makeLife();
    life.hear({ event: "GUEST_PANICKED", timestamp, data: { action: "pause" } });
    end(exited);
    expect((await life.ended).reason).toBe("crashed");
  });
});

describe("a machine that is stopped", () => {
  test("by its guest is stopped, and nothing is signalled", async () => {
    const { life, end, signals, asked } = makeLife();
    const stopping = life.stop(60_000, { reason: "stopped" });
    end(exited);
    expect(await stopping).toEqual({ step: "guest", exit: { reason: "stopped", atMs: 5 } });
    expect([signals, asked]).toEqual([[], [60_000]]);
  });

  test("by QEMU's monitor was killed, and nobody asked the guest", async () => {
    const { life, signals, asked } = makeLife({ quit: "ends" });
    const { step, exit } = await life.stop(0, { reason: "stopped" });
    expect([step, exit.reason, signals, asked]).toEqual(["terminated", "killed", [], []]);
  });

  test("that answers nothing is terminated, and killed when that does nothing", async () => {
    const { life, signals } = makeLife({ endsBy: "SIGKILL" });
    const { step, exit } = await life.stop(1, { reason: "stopped" });
    expect([step, exit.reason, signals]).toEqual(["killed", "killed", ["SIGTERM", "SIGKILL"]]);
  });

  test("is ended at once when somebody has less patience", async () => {
    const { life } = makeLife({ endsBy: "SIGTERM" });
    const patient = life.stop(60_000, { reason: "stopped" });
    const { step } = await life.stop(0, { reason: "stopped" });
    expect(step).toBe("terminated");
    expect(await patient).toMatchObject({ step: "terminated", exit: { reason: "killed" } });
  });

  test("because its program has ended keeps that as the reason, also when force was needed", async () => {
    const { life } = makeLife({ endsBy: "SIGTERM" });
    const { exit } = await life.stop(1, { reason: "exited", exitCode: 3 });
    expect(exit).toMatchObject({ reason: "exited", exitCode: 3 });
  });

  test("and survives everything is a failure", async () => {
    const { life, signals } = makeLife({ quit: "ignores" });
    await expect(life.stop(0, { reason: "stopped" })).rejects.toMatchObject({
      code: "VM_STOP_FAILED",
    });
    expect(signals).toEqual(["SIGTERM", "SIGKILL"]);
  });
});

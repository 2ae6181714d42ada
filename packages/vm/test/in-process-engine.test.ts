import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isMachineAlive, vmErrorHints, vmErrorKinds } from "@box/vm";
import { type EngineStep, InProcessEngine } from "@box/vm/testing";
import { describe, expect, test } from "vitest";
import { makeSpec } from "./subject.ts";

test("every code has a hint of its own", () => {
  expect(Object.keys(vmErrorHints).sort()).toEqual(Object.keys(vmErrorKinds).sort());
  expect(new Set(Object.values(vmErrorHints)).size).toBeGreaterThan(15);
});

describe("an engine that cannot run here", () => {
  test("says so when it is asked, and refuses to start anything", async () => {
    const engine = new InProcessEngine({ unusable: "qemu is missing" });
    expect(await engine.probe()).toEqual({ isUsable: false, reason: "qemu is missing" });
    await expect(engine.spawn(await makeSpec())).rejects.toMatchObject({
      code: "VM_ENGINE_UNAVAILABLE",
      kind: "unsupported",
      message: expect.stringContaining("qemu is missing"),
    });
    expect(await new InProcessEngine().probe()).toMatchObject({ isUsable: true });
  });
});

describe("a step that fails", () => {
  test.each<EngineStep>(["spawn", "spawned"])("as %s leaves no process", async (failing) => {
    const engine = new InProcessEngine({
      onStep: (step) => {
        if (step === failing) throw new Error("full");
      },
    });
    const spec = await makeSpec();
    await expect(engine.spawn(spec)).rejects.toThrow("full");
    const record = await engine.find(spec.directory);
    expect(record !== undefined).toBe(failing === "spawned");
    expect(record !== undefined && isMachineAlive(record)).toBe(false);
    expect(engine.spawned).toEqual([]);
  });

  test.each<EngineStep>(["connect", "initialize", "exec", "stop", "attach"])(
    "as %s leaves the machine as it is",
    async (failing) => {
      let isFailing = false;
      const engine = new InProcessEngine({
        onStep: (step) => {
          if (isFailing && step === failing) throw new Error("full");
        },
      });
      await using machine = await engine.spawn(await makeSpec());
      await machine.connect();
      await machine.initialize({ hostname: "a" });
      isFailing = true;
      const work: Readonly<Partial<Record<EngineStep, () => Promise<unknown>>>> = {
        connect: () => machine.connect(),
        initialize: () => machine.initialize({ hostname: "a" }),
        exec: () => machine.exec({ command: ["exit"] }),
        stop: () => machine.stop(),
        attach: () => engine.attach(machine.record),
      };
      await expect(work[failing]?.()).rejects.toThrow("full");
      expect(isMachineAlive(machine.record)).toBe(true);
      isFailing = false;
      await machine.stop();
    },
  );
});

test("an abort that comes when the process is there already ends it", async () => {
  const controller = new AbortController();
  const engine = new InProcessEngine({
    onStep: (step) => {
      if (step === "spawned") controller.abort(new Error("enough"));
    },
  });
  const spec = await makeSpec();
  const { signal } = controller;
  await expect(engine.spawn(spec, { signal })).rejects.toThrow("enough");
  const record = await engine.find(spec.directory);
  expect(record !== undefined && !isMachineAlive(record)).toBe(true);
});

describe("a folder of a machine", () => {
  test("with a damaged record is corrupt, one that cannot be read is not", async () => {
    const engine = new InProcessEngine();
    const { directory } = await makeSpec();
    await writeFile(join(directory, "machine.json"), "{");
    await expect(engine.find(directory)).rejects.toMatchObject({ code: "VM_RECORD_INVALID" });
    await writeFile(join(directory, "machine.json"), "{}");
    await expect(engine.find(directory)).rejects.toMatchObject({ code: "VM_RECORD_INVALID" });
    const file = join(directory, "machine.json");
    await expect(engine.find(file)).rejects.toMatchObject({ kind: "io" });
  });
});

describe("a simulated guest", () => {
  test("runs at most 64 commands at once, and knows no other signals than the host's", async () => {
    const engine = new InProcessEngine();
    await using machine = await engine.spawn(await makeSpec());
    await machine.connect();
    await machine.initialize({ hostname: "a" });
    const commands = await Promise.all(
      Array.from({ length: 64 }, () => machine.exec({ command: ["sleep"] })),
    );
    await expect(machine.exec({ command: ["sleep"] })).rejects.toMatchObject({
      code: "VM_EXEC_LIMIT",
      kind: "limit",
    });
    const [first] = commands;
    await expect(first?.kill("SIGNOTHING")).rejects.toMatchObject({ code: "VM_SPEC_INVALID" });
    await first?.kill();
    await first?.wait();
    await using next = await machine.exec({ command: ["whoami"], user: "1000:1000" });
    const { value } = await next.stdout[Symbol.asyncIterator]().next();
    expect(new TextDecoder().decode(value as Uint8Array)).toBe("1000:1000\n");
    await machine.stop();
  });

  test("says that it has no terminal when it has none", async () => {
    const engine = new InProcessEngine();
    await using machine = await engine.spawn(await makeSpec());
    await machine.connect();
    await machine.initialize({ hostname: "a" });
    await using command = await machine.exec({ command: ["size"] });
    const { value } = await command.stdout[Symbol.asyncIterator]().next();
    expect(new TextDecoder().decode(value as Uint8Array)).toBe("none\r\n");
    await machine.stop();
  });
});

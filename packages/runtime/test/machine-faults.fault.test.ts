import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Runtime } from "@box/runtime";
import { isMachineAlive, type MachineRecord } from "@box/vm";
import { type EngineStep, InProcessEngine } from "@box/vm/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { factsOf } from "./disk-facts.ts";
import { endMachine, openWithEngine, WatchedEngine } from "./engine-home.ts";
import { FakeImages } from "./fake-images.ts";
import { killChild, startChild } from "./run-child.ts";

const startSteps: readonly EngineStep[] = ["spawn", "spawned", "connect", "initialize"];

/** The machine that was last spawned for a box, whatever the state says. */
async function lastMachine(directory: string): Promise<MachineRecord | undefined> {
  const record = await new InProcessEngine().find(join(directory, "run"));
  if (record !== undefined) onTestFinished(() => endMachine(record));
  return record;
}

describe.each(startSteps)("a start that fails at %s", (step) => {
  test("leaves no machine, kept disks, and a failed box that starts again", async () => {
    const { boxes, box, onStep, specs } = await openWithEngine();
    const paths = [box.disks.user?.path ?? "", box.disks.guest?.path ?? ""];
    const before = await Promise.all(paths.map(factsOf));
    onStep[step] = () => {
      throw new Error("full");
    };
    await expect(boxes.start("web")).rejects.toThrow("full");
    expect(specs).toHaveLength(1);
    const failed = await boxes.inspect("web");
    expect(failed).toMatchObject({ state: "failed", error: { message: "full" } });
    expect(failed.machine).toBeUndefined();
    expect(failed.operations[0]).toMatchObject({ kind: "start", state: "failed" });
    const left = await lastMachine(box.directory);
    expect(left !== undefined && isMachineAlive(left)).toBe(false);
    expect(await Promise.all(paths.map(factsOf))).toEqual(before);
    onStep[step] = undefined;
    expect((await boxes.start("web")).box.state).toBe("running");
  });

  test("by an abort leaves the box as it was", async () => {
    const { boxes, box, onStep } = await openWithEngine();
    const controller = new AbortController();
    onStep[step] = (signal) => {
      controller.abort(new Error("enough"));
      signal?.throwIfAborted();
    };
    const { signal } = controller;
    await expect(boxes.start("web", { signal })).rejects.toMatchObject({ kind: "aborted" });
    const stopped = await boxes.inspect("web");
    expect(stopped).toMatchObject({ state: "created" });
    expect(stopped.operations[0]).toMatchObject({ kind: "start", state: "cancelled" });
    const left = await lastMachine(box.directory);
    expect(left !== undefined && isMachineAlive(left)).toBe(false);
    onStep[step] = undefined;
    await boxes.start("web");
    await boxes.stop("web");
    const second = new AbortController();
    onStep[step] = (inner) => {
      second.abort(new Error("enough"));
      inner?.throwIfAborted();
    };
    await expect(boxes.start("web", { signal: second.signal })).rejects.toMatchObject({
      kind: "aborted",
    });
    expect(await boxes.inspect("web")).toMatchObject({ state: "stopped" });
  });

  test("by kill -9 is put right by whoever opens the home next", async () => {
    const { runtime, home, box } = await openWithEngine();
    await runtime.close();
    const child = startChild({ home, start: ["web"], engine: { hangAt: step } });
    await reached(child);
    const left = await lastMachine(box.directory);
    await killChild(child);
    expect(left !== undefined && isMachineAlive(left)).toBe(step !== "spawn");
    const engine = new WatchedEngine();
    await using again = await Runtime.open({ home, images: new FakeImages(), engine });
    expect(left !== undefined && isMachineAlive(left)).toBe(false);
    const failed = await again.boxes.inspect("web");
    expect(failed).toMatchObject({ state: "failed", error: { code: "OPERATION_INTERRUPTED" } });
    expect(failed.operations.map(({ kind, state }) => `${kind} ${state}`).slice(0, 2)).toEqual([
      "settle succeeded",
      "start interrupted",
    ]);
    expect((await again.boxes.start("web")).box.state).toBe("running");
  });
});

/** Waits until a child says that it is at the step where it hangs. */
async function reached(child: ReturnType<typeof startChild>): Promise<void> {
  for (;;) {
    const line = await child.next();
    if (line === undefined) throw new Error("the child ended before it was there");
    if (line.type === "step") return;
  }
}

describe("a process that is killed", () => {
  test("while its box runs leaves the box running", async () => {
    const { runtime, home } = await openWithEngine();
    await runtime.close();
    const child = startChild({ home, start: ["web"], engine: { hangAt: "exec" } });
    await reached(child);
    await killChild(child);
    const engine = new WatchedEngine();
    await using again = await Runtime.open({ home, images: new FakeImages(), engine });
    const { state, machine } = await again.boxes.inspect("web");
    if (machine !== undefined) onTestFinished(() => endMachine(machine));
    expect([state, machine !== undefined && isMachineAlive(machine)]).toEqual(["running", true]);
    expect((await again.boxes.start("web")).outcome).toBe("attached");
    expect(await again.boxes.stop("web")).toMatchObject({ step: "guest" });
  });

  test("while it stops its box leaves the box running, and the stop to be done again", async () => {
    const { runtime, home, boxes } = await openWithEngine();
    const { machine } = await boxes.start("web");
    await runtime.close();
    const child = startChild({ home, stop: ["web"], engine: { hangAt: "stop" } });
    await reached(child);
    await killChild(child);
    const engine = new WatchedEngine();
    await using again = await Runtime.open({ home, images: new FakeImages(), engine });
    expect(await again.boxes.inspect("web")).toMatchObject({
      state: "running",
      stopRequested: true,
      machine,
    });
    expect((await again.boxes.stop("web")).exit).toMatchObject({ reason: "stopped" });
  });

  test("with its machine, while it stops its box, leaves the box stopped", async () => {
    const { runtime, home, boxes } = await openWithEngine();
    const { machine } = await boxes.start("web");
    await runtime.close();
    const child = startChild({ home, stop: ["web"], engine: { hangAt: "stop" } });
    await reached(child);
    await killChild(child);
    process.kill(machine.process.pid, "SIGKILL");
    await expect.poll(() => isMachineAlive(machine), { timeout: 60_000 }).toBe(false);
    await using again = await Runtime.open({ home, images: new FakeImages() });
    expect(await again.boxes.inspect("web")).toMatchObject({
      state: "stopped",
      exit: { reason: "lost" },
    });
  });
});

describe("a host that was started again", () => {
  /** Makes everything that the state knows of processes older than this boot. */
  function reboot(home: string): void {
    const database = new DatabaseSync(join(home, "state.db"));
    database.exec(`UPDATE machines SET starter = json_set(starter, '$.bootId', 'earlier'),
      record = json_set(record, '$.process.bootId', 'earlier')`);
    database.close();
  }

  test("has no machine: running boxes are stopped, and say why", async () => {
    const { runtime, home, boxes } = await openWithEngine();
    await boxes.start("web");
    await runtime.close();
    reboot(home);
    for (const engine of [undefined, new WatchedEngine()]) {
      const options = engine === undefined ? {} : { engine };
      await using again = await Runtime.open({ home, images: new FakeImages(), ...options });
      expect(await again.boxes.inspect("web")).toMatchObject({
        state: "stopped",
        stopRequested: false,
        exit: { reason: "host-rebooted" },
      });
    }
  });

  test("has no box that starts either", async () => {
    const { runtime, home } = await openWithEngine();
    await runtime.close();
    const child = startChild({ home, start: ["web"], engine: { hangAt: "spawn" } });
    await reached(child);
    await killChild(child);
    const database = new DatabaseSync(join(home, "state.db"));
    database.exec("UPDATE machines SET starter = json_set(starter, '$.bootId', 'earlier')");
    database.close();
    await using again = await Runtime.open({ home, images: new FakeImages() });
    expect(await again.boxes.inspect("web")).toMatchObject({
      state: "stopped",
      exit: { reason: "host-rebooted" },
    });
  });
});

describe("several processes", () => {
  test("that start one box at once start one machine: one wins, the others reach it", async () => {
    const { home, runtime, box } = await openWithEngine();
    const children = Array.from({ length: 3 }, () =>
      startChild({ home, start: ["web"], engine: {} }),
    );
    const ends = await Promise.all(children.map((child) => child.last()));
    await lastMachine(box.directory);
    for (const end of ends) expect(end).toMatchObject({ type: "done" });
    const outcomes = ends.map((end) => end?.type === "done" && end.outcome).sort();
    expect(outcomes).toEqual(["attached", "attached", "started"]);
    const { state, operations } = await runtime.boxes.inspect("web");
    expect(state).toBe("running");
    expect(operations.filter(({ kind }) => kind === "start")).toHaveLength(3);
  });

  test("wait for the one that starts it, or are told who it is", async () => {
    const { boxes, onStep } = await openWithEngine();
    const gate = Promise.withResolvers<void>();
    onStep.connect = () => gate.promise;
    const starting = boxes.start("web");
    await expect
      .poll(async () => (await boxes.inspect("web")).state, { timeout: 60_000 })
      .toBe("starting");
    for (const call of [
      () => boxes.start("web", { lockTimeoutMs: 0 }),
      () => boxes.stop("web", { lockTimeoutMs: 0 }),
      () => boxes.prepare("web", { lockTimeoutMs: 0 }),
      () => boxes.remove("web"),
    ]) {
      await expect(call()).rejects.toMatchObject({
        code: "BOX_IN_USE",
        message: expect.stringContaining("starting web"),
      });
    }
    gate.resolve();
    expect((await starting).box.state).toBe("running");
  });
});

describe("a machine of a box that is not recorded as running", () => {
  async function orphan() {
    const opened = await openWithEngine();
    const { machine } = await opened.boxes.start("web");
    await opened.runtime.close();
    const database = new DatabaseSync(join(opened.home, "state.db"));
    database.exec("UPDATE boxes SET state = 'stopped'; DELETE FROM machines");
    database.close();
    return { ...opened, machine };
  }

  test("is reported, and neither taken over nor doubled nor ended", async () => {
    const { home, machine } = await orphan();
    const engine = new WatchedEngine();
    await using again = await Runtime.open({ home, images: new FakeImages(), engine });
    expect(await again.findOrphans()).toEqual([
      { box: expect.objectContaining({ name: "web", state: "stopped" }), record: machine },
    ]);
    for (const verb of ["start", "restart"] as const) {
      await expect(again.boxes[verb]("web")).rejects.toMatchObject({
        code: "BOX_MACHINE_ORPHANED",
        kind: "in-use",
        details: { pid: machine.process.pid },
      });
    }
    expect(engine.spawned).toEqual([]);
    expect(isMachineAlive(machine)).toBe(true);
    expect((await again.boxes.inspect("web")).state).toBe("stopped");
    await endMachine(machine);
    expect((await again.boxes.start("web")).outcome).toBe("started");
  });

  test("is none once it has ended", async () => {
    const { home, machine } = await orphan();
    await endMachine(machine);
    await using again = await Runtime.open({
      home,
      images: new FakeImages(),
      engine: new InProcessEngine(),
    });
    expect(await again.findOrphans()).toEqual([]);
  });
});

test("a disk that a failed start made for the first time goes, unless a machine had it", async () => {
  for (const [step, stays] of [
    ["spawn", false],
    ["connect", true],
  ] as const) {
    const { boxes, box, home, runtime, onStep } = await openWithEngine();
    const path = box.disks.user?.path ?? "";
    const database = new DatabaseSync(join(home, "state.db"));
    database.exec("DELETE FROM disks WHERE role = 'user'");
    database.close();
    await rm(path);
    onStep[step] = () => {
      throw new Error("full");
    };
    await expect(boxes.start("web")).rejects.toThrow("full");
    expect([step, existsSync(path)]).toEqual([step, stays]);
    expect((await boxes.inspect("web")).disks.user !== undefined).toBe(stays);
    onStep[step] = undefined;
    await boxes.start("web");
    await runtime.close();
  }
});

test("a damaged record of a machine is told by what is wanted of the box, and hides no other", async () => {
  const { boxes, runtime, home } = await openWithEngine();
  await boxes.create({ image: "app", name: "other" });
  await boxes.start("web");
  await runtime.close();
  const database = new DatabaseSync(join(home, "state.db"));
  database.exec(`UPDATE machines SET record = '{"version":1}'`);
  database.close();
  await using again = await Runtime.open({
    home,
    images: new FakeImages(),
    engine: new InProcessEngine(),
  });
  expect((await again.boxes.list()).map(({ name }) => name)).toEqual(["other", "web"]);
  await expect(again.boxes.stop("web")).rejects.toMatchObject({
    code: "VM_RECORD_INVALID",
    kind: "corrupt",
  });
});

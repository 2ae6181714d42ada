import { existsSync } from "node:fs";
import { join } from "node:path";
import { type BoxEvent, type OpenRuntimeOptions, Runtime } from "@box/runtime";
import { isMachineAlive } from "@box/vm";
import { InProcessEngine } from "@box/vm/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { factsOf } from "./disk-facts.ts";
import { endMachines, machineOf, openWithEngine, textOf, WatchedEngine } from "./engine-home.ts";
import { FakeImages } from "./fake-images.ts";
import { openTestRuntime } from "./test-home.ts";

describe("without an engine", () => {
  test.each(["start", "stop", "restart", "exec", "wait"] as const)(
    "%s fails as unsupported and changes nothing",
    async (verb) => {
      const { runtime } = await openTestRuntime();
      await runtime.boxes.create({ image: "app", name: "web" });
      const calls = {
        start: () => runtime.boxes.start("web"),
        stop: () => runtime.boxes.stop("web"),
        restart: () => runtime.boxes.restart("web"),
        exec: () => runtime.boxes.exec("web", { command: ["exit"] }),
        wait: () => runtime.boxes.wait("web"),
      };
      await expect(calls[verb]()).rejects.toMatchObject({
        code: "BOX_ENGINE_MISSING",
        kind: "unsupported",
        hint: expect.stringContaining("engine"),
      });
      expect((await runtime.boxes.inspect("web")).state).toBe("created");
      expect((await runtime.operations.list()).map(({ kind }) => kind)).toEqual(["create"]);
    },
  );
});

describe("start", () => {
  test("judges the disks, starts the machine, reaches its guest, and tells it all in order", async () => {
    const { boxes, engine } = await openWithEngine();
    const events: BoxEvent[] = [];
    const { box, outcome, machine } = await boxes.start("web", {
      onEvent: (event) => events.push(event),
    });
    expect(outcome).toBe("started");
    expect(box).toMatchObject({ state: "running", stopRequested: false, machine });
    expect(isMachineAlive(machine)).toBe(true);
    expect(engine.spawned).toEqual([machine]);
    const done = events.filter(({ type }) => type === "finished").map(({ task }) => task);
    expect([done[0], ...done.slice(1, 3).sort(), ...done.slice(3)]).toEqual([
      "filesystem_setup",
      "container_rootfs_prep",
      "guest_rootfs_init",
      "vmm_spawn",
      "guest_connect",
      "guest_init",
    ]);
    const kept = events.flatMap((event) => (event.type === "overlay" ? [event.name] : []));
    expect(kept).toEqual(["overlay.kept", "overlay.kept"]);
    expect(box.history.at(-1)).toMatchObject({ type: "change", name: "box.started" });
    expect(box.operations[0]).toMatchObject({ kind: "start", state: "succeeded" });
  });

  test("gives the engine the disks in order, found by their serials, and the guest's environment", async () => {
    const { boxes, specs, box } = await openWithEngine();
    await boxes.start("web");
    expect(specs).toHaveLength(1);
    expect(specs[0]).toMatchObject({
      boxId: box.id,
      name: "web",
      directory: join(box.directory, "run"),
      guestRootfs: "disk",
      memoryMiB: 256,
      cpus: 1,
      environment: [["PATH", "/bin"]],
      labels: { tier: "front" },
      lifetime: "detached",
      disks: [
        {
          ...{ role: "user", path: box.disks.user?.path, format: "qcow2", serial: "box-root" },
          backing: { path: box.disks.user?.base?.path, format: "raw" },
        },
        {
          ...{ role: "guest", path: box.disks.guest?.path, format: "qcow2", serial: "guest-root" },
          backing: { path: box.disks.guest?.base?.path, format: "raw" },
        },
      ],
    });
  });

  test("gives a box without a guest disk one disk", async () => {
    const { boxes, specs } = await openWithEngine({ guestRootfs: { type: "initramfs" } });
    await boxes.start("web");
    expect(specs[0]).toMatchObject({
      guestRootfs: "initramfs",
      environment: [],
      disks: [{ role: "user" }],
    });
  });

  test("reaches a box that runs, and starts no second machine", async () => {
    const { boxes, engine, home } = await openWithEngine();
    const first = await boxes.start("web");
    const again = await boxes.start("web");
    expect([again.outcome, again.machine]).toEqual(["attached", first.machine]);
    await using other = await Runtime.open({
      home,
      images: new FakeImages(),
      engine: new InProcessEngine(),
    });
    const elsewhere = await other.boxes.start("web");
    expect([elsewhere.outcome, elsewhere.machine]).toEqual(["attached", first.machine]);
    expect(engine.spawned).toHaveLength(1);
  });

  test("refuses a box whose user disk is corrupt before any machine is started", async () => {
    const { boxes, engine, damage } = await openWithEngine();
    await damage("user");
    await expect(boxes.start("web")).rejects.toMatchObject({ code: "OVERLAY_CORRUPT" });
    expect(engine.spawned).toEqual([]);
    expect(await boxes.inspect("web")).toMatchObject({
      state: "failed",
      error: { code: "OVERLAY_CORRUPT" },
    });
    expect((await boxes.start("web", { recreateDisk: true })).box.state).toBe("running");
  });

  test("makes a corrupt guest disk again and goes on", async () => {
    const { boxes, damage } = await openWithEngine();
    await damage("guest");
    const { box } = await boxes.start("web");
    const names = box.history.flatMap((event) => (event.type === "overlay" ? [event.name] : []));
    expect(names).toEqual(expect.arrayContaining(["overlay.quarantined", "overlay.recreated"]));
    expect(box.state).toBe("running");
  });

  test("keeps others from the box while it runs", async () => {
    const { boxes } = await openWithEngine();
    await boxes.start("web");
    const calls = [
      () => boxes.prepare("web"),
      () => boxes.remove("web"),
      () => boxes.resize("web", 1e9),
      () => boxes.clone("web"),
      () => boxes.createSnapshot("web", "s"),
      () => boxes.restore("web"),
      () => boxes.rename("web", "www"),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({ code: "BOX_IN_USE", kind: "in-use" });
    }
    expect((await boxes.inspect("web")).state).toBe("running");
  });

  test("takes memory, processors and a program from the box's settings", async () => {
    const { boxes, specs } = await openWithEngine({
      run: { memoryMiB: 512, cpus: 2, command: ["exit", "3"] },
    });
    await boxes.start("web");
    expect(specs[0]).toMatchObject({ memoryMiB: 512, cpus: 2, network: "none" });
    expect((await boxes.wait("web")).exit).toMatchObject({ reason: "exited", exitCode: 3 });
  });

  test.each([
    ["the image's own", { usesEntrypoint: true }, "image's"],
    ["its entry point with other arguments", { usesEntrypoint: true, command: ["mine"] }, "mine"],
    ["a whole program", { command: ["print", "whole"] }, "whole"],
  ])("runs for %s", async (_, run, output) => {
    const { runtime, images } = await openTestRuntime({ engine: new WatchedEngine() });
    images.entrypoint = ["print"];
    images.command = ["image's"];
    await runtime.boxes.create({ image: "app", name: "web", run });
    await runtime.boxes.start("web");
    expect((await runtime.boxes.wait("web")).exit).toMatchObject({ reason: "exited", exitCode: 0 });
    expect(await textOf(await runtime.boxes.logs("web"))).toBe(output);
  });

  test("gives a network card to the box that has one on record, and to no other", async () => {
    const { boxes, box, specs } = await openWithEngine({ run: { network: "user" } });
    expect(box.run.network).toBe("user");
    await boxes.start("web");
    expect(specs[0]).toMatchObject({ network: "user" });
  });

  test.each([
    { network: "host" as "user" },
    { memoryMiB: 1 },
    { memoryMiB: 128.5 },
    { cpus: 0 },
    { cpus: 1000 },
    { command: [] },
    { command: [""] },
    { command: ["a\0b"] },
    { command: ["a".repeat(200_000)] },
    { restart: { type: "on-failure", maxRetries: 0 } as const },
  ])("refuses settings like %j when the box is created", async (run) => {
    const { runtime } = await openTestRuntime();
    await expect(runtime.boxes.create({ image: "app", run })).rejects.toMatchObject({
      code: "BOX_SETTING_INVALID",
      kind: "invalid-argument",
    });
    expect(await runtime.boxes.list()).toEqual([]);
  });
});

describe("stop", () => {
  test("asks the guest, records the end, and leaves the disks as they are", async () => {
    const { boxes, box } = await openWithEngine();
    const { machine } = await boxes.start("web");
    const before = await factsOf(box.disks.user?.path ?? "");
    const stopped = await boxes.stop("web");
    expect(stopped).toMatchObject({ step: "guest", exit: { reason: "stopped" } });
    expect(isMachineAlive(machine)).toBe(false);
    const now = await boxes.inspect("web");
    expect(now).toMatchObject({
      state: "stopped",
      stopRequested: true,
      exit: { reason: "stopped" },
    });
    expect(now.machine).toBeUndefined();
    expect(now.history.at(-1)).toMatchObject({ type: "change", name: "box.stopped" });
    expect(await factsOf(box.disks.user?.path ?? "")).toEqual(before);
    expect(existsSync(join(box.directory, "run"))).toBe(false);
    expect((await boxes.start("web")).outcome).toBe("started");
  });

  test("kills a guest that hangs when the grace is over", async () => {
    const { boxes, engine } = await openWithEngine();
    const { machine } = await boxes.start("web");
    engine.makeDeaf(machine);
    expect(await boxes.stop("web", { graceMs: 50 })).toMatchObject({
      step: "killed",
      exit: { reason: "killed" },
    });
    expect(isMachineAlive(machine)).toBe(false);
  });

  test("of a box that does not run is no failure, and it is to stay stopped", async () => {
    const { boxes } = await openWithEngine();
    expect(await boxes.stop("web")).toMatchObject({ step: "already", box: { state: "created" } });
    expect(await boxes.inspect("web")).toMatchObject({ state: "created", stopRequested: true });
    await boxes.start("web");
    expect(await boxes.inspect("web")).toMatchObject({ stopRequested: false });
  });

  test("that is told to stop leaves the box running, and can be done again", async () => {
    const { boxes, engine } = await openWithEngine();
    const { machine } = await boxes.start("web");
    engine.makeDeaf(machine);
    const controller = new AbortController();
    const stopping = boxes.stop("web", { signal: controller.signal });
    setTimeout(() => controller.abort(), 100);
    await expect(stopping).rejects.toMatchObject({ kind: "aborted" });
    expect(await boxes.inspect("web")).toMatchObject({ state: "running", stopRequested: false });
    expect(isMachineAlive(machine)).toBe(true);
    await boxes.stop("web", { graceMs: 0 });
  });

  test("that fails leaves the box running", async () => {
    const { boxes, onStep } = await openWithEngine();
    await boxes.start("web");
    onStep.stop = () => {
      throw new Error("no");
    };
    await expect(boxes.stop("web")).rejects.toThrow("no");
    expect(await boxes.inspect("web")).toMatchObject({ state: "running" });
    onStep.stop = undefined;
    await boxes.stop("web");
  });

  test("removes a box that is to go away", async () => {
    const { boxes, box } = await openWithEngine({ autoRemove: true });
    await boxes.start("web");
    expect(await boxes.stop("web")).toMatchObject({ exit: { reason: "stopped" } });
    expect(await boxes.list()).toEqual([]);
    expect(existsSync(box.directory)).toBe(false);
  });
});

describe("restart", () => {
  test("ends the machine and starts another in one operation", async () => {
    const { boxes } = await openWithEngine({ autoRemove: true });
    const first = await boxes.start("web");
    const second = await boxes.restart("web");
    expect(second.machine.id).not.toBe(first.machine.id);
    expect(isMachineAlive(first.machine)).toBe(false);
    expect(isMachineAlive(second.machine)).toBe(true);
    expect(second.box).toMatchObject({ state: "running", exit: { reason: "stopped" } });
    const kinds = second.box.operations.map(({ kind, state }) => `${kind} ${state}`);
    expect(kinds).toEqual(["restart succeeded", "start succeeded", "create succeeded"]);
  });

  test("starts a box that does not run", async () => {
    const { boxes } = await openWithEngine();
    expect((await boxes.restart("web")).box.state).toBe("running");
  });

  test("whose end of the machine fails leaves it running", async () => {
    const { boxes, onStep } = await openWithEngine();
    const { machine } = await boxes.start("web");
    onStep.stop = () => {
      throw new Error("no");
    };
    await expect(boxes.restart("web")).rejects.toThrow("no");
    expect(await boxes.inspect("web")).toMatchObject({ state: "running", machine });
    onStep.stop = undefined;
  });

  test("whose start fails leaves it failed, with the reason", async () => {
    const { boxes, onStep } = await openWithEngine();
    const { machine } = await boxes.start("web");
    onStep.connect = () => {
      throw new Error("no");
    };
    await expect(boxes.restart("web")).rejects.toThrow("no");
    expect(await boxes.inspect("web")).toMatchObject({
      state: "failed",
      error: { message: "no" },
      exit: { reason: "stopped" },
    });
    expect(isMachineAlive(machine)).toBe(false);
  });
});

test("a machine that ended while nobody looked is told by whoever looks", async () => {
  const { boxes } = await openWithEngine();
  const { machine } = await boxes.start("web");
  process.kill(machine.process.pid, "SIGKILL");
  await expect.poll(() => isMachineAlive(machine), { timeout: 60_000 }).toBe(false);
  expect((await boxes.list())[0]).toMatchObject({ state: "stopped", exit: { reason: "lost" } });
  const box = await boxes.inspect("web");
  expect(box.operations[0]).toMatchObject({ kind: "settle", state: "succeeded" });
  expect(box.history.at(-1)).toMatchObject({ name: "box.exited", details: { reason: "lost" } });
  await boxes.prepare("web");
});

test("closing the runtime leaves boxes running", async () => {
  const opened = await openWithEngine();
  const { machine } = await opened.boxes.start("web");
  await opened.runtime.close();
  expect(isMachineAlive(machine)).toBe(true);
  const options: OpenRuntimeOptions = { home: opened.home, images: new FakeImages() };
  await using without = await Runtime.open(options);
  expect(await without.boxes.inspect("web")).toMatchObject({ state: "running", machine });
  onTestFinished(() => endMachines(opened.engine));
  expect(await machineOf(opened.home, "web")).toEqual(machine);
});

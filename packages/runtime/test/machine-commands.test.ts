import { type RunSettings, Runtime } from "@box/runtime";
import { isMachineAlive } from "@box/vm";
import { InProcessEngine } from "@box/vm/testing";
import { describe, expect, test } from "vitest";
import { openWithEngine, textOf } from "./engine-home.ts";
import { FakeImages } from "./fake-images.ts";

describe("exec", () => {
  test("runs a command with the image's environment, folder and user, unless told otherwise", async () => {
    const { boxes } = await openWithEngine();
    await boxes.start("web");
    const environment = [
      ["PATH", "/usr/bin"],
      ["A", "b"],
    ] as const;
    const run = async (request: Parameters<typeof boxes.exec>[1]) => {
      await using command = await boxes.exec("web", request);
      return [await textOf(command.stdout), (await command.wait()).exitCode];
    };
    expect(await run({ command: ["env"] })).toEqual(["PATH=/bin\nHOSTNAME=web\n", 0]);
    expect(await run({ command: ["env"], environment })).toEqual([
      "PATH=/usr/bin\nHOSTNAME=web\nA=b\n",
      0,
    ]);
    expect(await run({ command: ["env"], environment: [["A", "b"]], target: "guest" })).toEqual([
      "PATH=/bin\nA=b\n",
      0,
    ]);
    expect(await run({ command: ["pwd"] })).toEqual(["/\n", 0]);
    expect(await run({ command: ["pwd"], workingDirectory: "/tmp" })).toEqual(["/tmp\n", 0]);
    expect(await run({ command: ["whoami"] })).toEqual(["root\n", 0]);
    expect(await run({ command: ["whoami"], user: "nobody" })).toEqual(["nobody\n", 0]);
    expect(await run({ command: ["exit", "9"] })).toEqual(["", 9]);
    await expect(boxes.exec("web", { command: ["nothing"] })).rejects.toMatchObject({
      code: "VM_EXEC_NOT_FOUND",
    });
  });

  test("takes no lock: it runs beside a process that works on the box, and from another one", async () => {
    const { boxes, home } = await openWithEngine();
    await boxes.start("web");
    await using other = await Runtime.open({
      home,
      images: new FakeImages(),
      engine: new InProcessEngine(),
    });
    const commands = await Promise.all(
      [boxes, other.boxes].map((each) => each.exec("web", { command: ["print", "out"] })),
    );
    for (const command of commands) expect(await textOf(command.stdout)).toBe("out");
  });

  test("is refused in a box that does not run, and ends with its signal", async () => {
    const { boxes } = await openWithEngine();
    await expect(boxes.exec("web", { command: ["exit"] })).rejects.toMatchObject({
      code: "BOX_NOT_RUNNING",
      kind: "conflict",
    });
    await boxes.start("web");
    const controller = new AbortController();
    const { signal } = controller;
    const command = await boxes.exec("web", { command: ["sleep"] }, { signal });
    controller.abort(new Error("enough"));
    await expect(command.wait()).rejects.toThrow("enough");
  });
});

describe("stop", () => {
  const stopped = async (run: Partial<RunSettings>, stopSignal?: string) => {
    const { boxes, images } = await openWithEngine();
    images.stopSignal = stopSignal;
    await boxes.create({ image: "app", name: "db", run: { command: ["trap"], ...run } });
    await boxes.start("db");
    return boxes.stop("db");
  };
  const interrupted = { step: "guest", exit: { reason: "exited", exitCode: 7 } };

  test.each([
    [{}, "int"],
    [{}, "2"],
    [{ stopSignal: "SIGINT" }, "SIGQUIT"],
    [{ stopSignal: "SIGINT" }, undefined],
  ])("sends the program the signal that its box %j or its image names: %s", async (run, signal) => {
    expect(await stopped(run, signal)).toMatchObject(interrupted);
  });

  test.each([undefined, "SIGTERM", "SIGRTMIN+3", "constructor", "99"])(
    "asks all programs where the image names no other signal: %s",
    async (signal) => {
      expect(await stopped({}, signal)).toMatchObject({ exit: { reason: "stopped" } });
    },
  );

  test("and restart too send a box without a program nothing", async () => {
    const { boxes, machine } = await openWithEngine({ run: { stopSignal: "SIGINT" } }).then(
      async (opened) => ({ ...opened, ...(await opened.boxes.start("web")) }),
    );
    expect((await boxes.restart("web")).machine.id).not.toBe(machine.id);
    expect(await boxes.stop("web")).toMatchObject({ step: "guest", exit: { reason: "stopped" } });
  });
});

describe("wait", () => {
  test("tells how the box ended, puts it on record, and again at once", async () => {
    const { boxes } = await openWithEngine({ run: { command: ["sleep"] } });
    await boxes.start("web");
    const waiting = boxes.wait("web");
    await boxes.stop("web");
    expect(await waiting).toMatchObject({ name: "web", exit: { reason: "stopped" } });
    expect(await boxes.wait("web")).toMatchObject({ exit: { reason: "stopped" } });
  });

  test("sees a machine die, and removes a box that is to go away", async () => {
    const { boxes } = await openWithEngine({ autoRemove: true });
    const { machine } = await boxes.start("web");
    const waiting = boxes.wait("web");
    process.kill(machine.process.pid, "SIGKILL");
    expect((await waiting).exit.reason).toBe("lost");
    expect(await boxes.list()).toEqual([]);
  });

  test("tells how a machine ended that was gone before it was reached", async () => {
    const { boxes } = await openWithEngine({ autoRemove: true });
    const { machine } = await boxes.start("web");
    process.kill(machine.process.pid, "SIGKILL");
    await expect.poll(() => isMachineAlive(machine), { timeout: 60_000 }).toBe(false);
    expect((await boxes.wait("web")).exit.reason).toBe("lost");
    expect(await boxes.list()).toEqual([]);
  });

  test("waits through the start of another process", async () => {
    const { boxes, onStep } = await openWithEngine({ run: { command: ["exit", "4"] } });
    const gate = Promise.withResolvers<void>();
    onStep.connect = () => gate.promise;
    const starting = boxes.start("web");
    await expect
      .poll(async () => (await boxes.inspect("web")).state, { timeout: 60_000 })
      .toBe("starting");
    const waiting = boxes.wait("web");
    gate.resolve();
    await starting;
    expect((await waiting).exit).toMatchObject({ exitCode: 4 });
  });

  test("is refused for a box that never ran, and stops when it is told to", async () => {
    const { boxes } = await openWithEngine();
    await expect(boxes.wait("web")).rejects.toMatchObject({ code: "BOX_NOT_RUNNING" });
    await boxes.start("web");
    const controller = new AbortController();
    const waiting = boxes.wait("web", { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    expect((await boxes.inspect("web")).state).toBe("running");
  });
});

describe("kill", () => {
  test("ends the program and with it the box, which no policy starts again", async () => {
    const run = { command: ["sleep"], restart: { type: "always" } } as const;
    const { boxes } = await openWithEngine({ run });
    await boxes.start("web");
    expect(await boxes.kill("web")).toMatchObject({
      reached: "program",
      box: { state: "stopped", stopRequested: true, exit: { reason: "exited", exitCode: 137 } },
    });
    await expect(boxes.kill("web")).rejects.toMatchObject({ code: "BOX_NOT_RUNNING" });
  });

  test("passes another signal on, and the box goes on", async () => {
    const { boxes } = await openWithEngine({ run: { command: ["trap"], keepsInput: true } });
    await boxes.start("web");
    const attached = await boxes.attach("web");
    expect(await boxes.kill("web", { signalName: "SIGINT" })).toMatchObject({
      reached: "program",
      box: { state: "running", stopRequested: false },
    });
    expect(await attached.wait()).toEqual({ exitCode: 7 });
    expect((await boxes.wait("web")).exit).toMatchObject({ reason: "exited", exitCode: 7 });
  });

  test("kills the machine where nobody takes the signal, and no other signal does", async () => {
    const { boxes } = await openWithEngine();
    await boxes.start("web");
    await expect(boxes.kill("web", { signalName: "SIGTERM" })).rejects.toMatchObject({
      code: "VM_NO_PROGRAM",
      kind: "conflict",
    });
    expect((await boxes.inspect("web")).state).toBe("running");
    expect(await boxes.kill("web")).toMatchObject({
      reached: "machine",
      box: { state: "stopped", exit: { reason: "killed" } },
    });
  });

  test("kills a machine whose guest hangs, and removes a box that is to go away", async () => {
    const run = { command: ["sleep"] };
    const { boxes, engine } = await openWithEngine({ run, autoRemove: true });
    const { machine } = await boxes.start("web");
    engine.makeDeaf(machine);
    expect(await boxes.kill("web")).toMatchObject({ reached: "machine" });
    expect(await boxes.list()).toEqual([]);
  });
});

describe("logs", () => {
  test("are what the program wrote, over several starts, and what is added until it stops", async () => {
    const { boxes } = await openWithEngine({ run: { command: ["cat"], keepsInput: true } });
    const logs = async (options = {}) => textOf(await boxes.logs("web", options));
    expect(await logs()).toBe("");
    await boxes.start("web");
    const following = logs({ follows: true });
    const attached = await boxes.attach("web");
    await attached.stdin.write(Buffer.from("one\ntwo\n"));
    await expect.poll(logs).toBe("one\ntwo\n");
    expect(await logs({ tailLines: 1 })).toBe("two\n");
    expect(await logs({ source: "console" })).toBe("");
    await boxes.stop("web");
    expect(await following).toBe("one\ntwo\n");
    await boxes.start("web");
    const again = await boxes.attach("web");
    await again.stdin.write(Buffer.from("three\n"));
    await expect.poll(logs).toBe("one\ntwo\nthree\n");
    await expect(boxes.logs("none")).rejects.toMatchObject({ code: "BOX_NOT_FOUND" });
  });
});

test("a program has the variables, folder, user and terminal that the box was made with", async () => {
  const run = {
    command: ["env"],
    environment: [["A", "b"]],
    user: "nobody",
    workingDirectory: "/tmp",
    terminal: true,
  } as const;
  const { boxes } = await openWithEngine({ run });
  await boxes.start("web");
  await boxes.wait("web");
  expect(await textOf(await boxes.logs("web"))).toBe("PATH=/bin\nHOSTNAME=web\nTERM=xterm\nA=b\n");
  expect((await boxes.inspect("web")).run).toMatchObject(run);
});

test("ports are forwarded whenever the box runs, and more of them until it stops", async () => {
  const forwards = [{ hostPort: 0, guestPort: 7 }];
  const { boxes } = await openWithEngine({ run: { forwards } });
  await boxes.start("web");
  const more = [{ hostPort: 0, guestPort: 9 }];
  const open = await boxes.forward("web", more);
  expect(open.map(({ guestPort }) => guestPort)).toEqual([7, 9]);
  const [{ hostPort = 0 } = {}] = open;
  await expect(boxes.forward("web", [{ hostPort, guestPort: 7 }])).rejects.toMatchObject({
    code: "VM_PORT_IN_USE",
    kind: "in-use",
  });
  await boxes.stop("web");
  await boxes.start("web");
  expect((await boxes.forward("web", [])).length).toBe(1);
});

test("a box tells what it uses while it runs", async () => {
  const { boxes } = await openWithEngine();
  await expect(boxes.stats("web")).rejects.toMatchObject({ code: "BOX_NOT_RUNNING" });
  await boxes.start("web");
  expect(await boxes.stats("web")).toMatchObject({
    guest: { cpus: 1 },
    host: { readBytes: 2 ** 20 },
  });
});

test("files go into a box that runs", async () => {
  const { boxes } = await openWithEngine();
  const request = { type: "get", path: "/tmp", onlyLooks: true } as const;
  await expect(boxes.open("web", request)).rejects.toMatchObject({ code: "BOX_NOT_RUNNING" });
  await boxes.start("web");
  const stream = await boxes.open("web", request);
  expect((await textOf(stream.stdout)).endsWith("tmp")).toBe(true);
  expect(await stream.wait()).toEqual({ exitCode: 0 });
});

test("a box lives until it is stopped, unless it is to end with its starter", async () => {
  const { boxes, specs } = await openWithEngine();
  await boxes.start("web");
  await boxes.stop("web");
  await boxes.start("web", { lifetime: "owner" });
  expect(specs.map(({ lifetime }) => lifetime)).toEqual(["detached", "owner"]);
});

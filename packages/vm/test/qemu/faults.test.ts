import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import {
  type Engine,
  isMachineAlive,
  type Machine,
  type MachineDisk,
  type MachineEvent,
  type MachineSpec,
} from "@box/vm";
import { QemuEngine } from "@box/vm/qemu";
import { describe, expect, onTestFinished, test } from "vitest";
import { frameHeader } from "../../src/qemu/link/frames.ts";
import { makeSpec } from "../subject.ts";
import { fakeEngine } from "./fake-engine.ts";
import { fakeQemuFolder, fakeSubject } from "./fake-subject.ts";

const user: MachineDisk = {
  role: "user",
  path: "/disk.qcow2",
  format: "qcow2",
  readOnly: false,
  serial: "box-root",
};

async function spawnMachine(
  changes: Partial<MachineSpec> = {},
  engineOf: () => Promise<Engine> = async () => (await fakeSubject()).engine,
) {
  const engine = await engineOf();
  const events: MachineEvent[] = [];
  const spec = { ...(await makeSpec()), ...changes };
  const machine = await engine.spawn(spec, { onEvent: (event) => events.push(event) });
  onTestFinished(async () => {
    await machine.stop({ graceMs: 0 });
    await machine.close();
  });
  return { engine, machine, events, spec };
}

async function initialized(machine: Machine, hostname: string): Promise<void> {
  await machine.connect();
  await machine.initialize({ hostname });
}

describe("a QEMU that does not start", () => {
  test("because another has the disk open is in use, not corrupt, and leaves nothing", async () => {
    const { engine } = await fakeSubject();
    const spec = { ...(await makeSpec()), disks: [{ ...user, path: "/locked.qcow2" }] };
    await expect(engine.spawn(spec)).rejects.toMatchObject({
      code: "VM_DISK_IN_USE",
      kind: "in-use",
      message: expect.stringContaining("Is another process using /locked.qcow2"),
    });
    expect(await engine.find(spec.directory)).toBeUndefined();
  });

  test("because it has no user-mode network says what to do instead", async () => {
    const { engine } = await fakeSubject();
    const disks = [{ ...user, path: "/without-slirp.qcow2" }];
    const spec = { ...(await makeSpec()), network: "user", disks } as const;
    await expect(engine.spawn(spec)).rejects.toMatchObject({
      code: "VM_NETWORK_UNSUPPORTED",
      kind: "unsupported",
      message: expect.stringContaining("not compiled into"),
    });
  });

  test("for another reason says what QEMU said", async () => {
    const { engine } = await fakeSubject();
    const spec = { ...(await makeSpec()), disks: [{ ...user, path: "/broken.qcow2" }] };
    await expect(engine.spawn(spec)).rejects.toMatchObject({
      code: "VM_SPAWN_FAILED",
      message: expect.stringContaining("exit code 3"),
    });
  });

  test("because there is none is told with what to install", async () => {
    const engine = new QemuEngine({
      programFolders: [],
      boot: async () => ({ kernel: "/k", initrd: "/i", digest: "d" }),
      socketFolder: "/nowhere",
    });
    await expect(engine.spawn(await makeSpec())).rejects.toMatchObject({
      code: "VM_ENGINE_UNAVAILABLE",
      hint: expect.stringContaining("apt-get install qemu-system-x86"),
    });
    expect(await engine.probe()).toMatchObject({ isUsable: false });
  });

  test("because its supervisor does not says what that said", async () => {
    const engine = new QemuEngine({
      programFolders: [await fakeQemuFolder()],
      boot: async () => ({ kernel: "/k", initrd: "/i", digest: "d" }),
      socketFolder: "/nowhere",
      supervisor: { path: "/bin/sh", args: ["-c", "echo no luck >&2"] },
    });
    await expect(engine.spawn(await makeSpec())).rejects.toMatchObject({
      code: "VM_SPAWN_FAILED",
      message: expect.stringContaining("no luck"),
    });
  });
});

describe("a guest", () => {
  test("whose kernel gives up has crashed, and its console tells why", async () => {
    const { machine, engine } = await spawnMachine();
    await expect(initialized(machine, "panic")).rejects.toMatchObject({
      code: "VM_MACHINE_DIED",
      message: expect.stringContaining("Kernel panic - not syncing"),
    });
    const exit = await machine.wait();
    expect(exit).toMatchObject({ reason: "crashed", atMs: expect.any(Number) });
    expect(await engine.look(machine.record)).toEqual({ state: "gone", exit });
  });

  test("that cannot mount its disks says why, and may try again", async () => {
    const { machine } = await spawnMachine();
    const failed = initialized(machine, "unmountable");
    await expect(failed).rejects.toMatchObject({
      code: "VM_GUEST_FAILED",
      message: "the guest is not ready: cannot mount the disk box-root: error 123",
    });
    await initialized(machine, "good");
    expect((await machine.connect()).isInitialized).toBe(true);
  });

  test.each(["stopped", "ended"])(
    "in which what has mounted its disks was %s runs commands all the same",
    async (hostname) => {
      const { machine } = await spawnMachine();
      await initialized(machine, hostname);
      for (let round = 0; round < 2; round++) {
        await using running = await machine.exec({ command: ["exit", "3"] });
        expect(await running.wait()).toEqual({ exitCode: 3 });
      }
    },
  );

  test("that cannot run a command says why, without what a terminal would obey", async () => {
    const { machine } = await spawnMachine();
    await initialized(machine, "good");
    await expect(machine.exec({ command: ["nope\u001b[31m"] })).rejects.toMatchObject({
      message: 'cannot run "nope\\u001b[31m": no such program: nope?[31m',
    });
    await expect(machine.exec({ command: ["cat"], target: "guest" })).rejects.toMatchObject({
      code: "VM_GUEST_FAILED",
      message: 'cannot run "cat": the guest has no system of its own',
    });
  });

  test("that finds no space on the host waits, with a warning, and goes on", async () => {
    const { machine, events, spec } = await spawnMachine();
    await initialized(machine, "full");
    await expect
      .poll(() => events)
      .toContainEqual({
        type: "warning",
        code: "VM_DISK_FULL",
        message: expect.stringContaining("no space"),
      });
    const log = join(spec.logDirectory, "console.log");
    await expect.poll(() => readFileSync(log, "utf8"), { timeout: 60_000 }).toContain("it goes on");
  });

  test("is not even asked for what no frame can carry", async () => {
    const { machine } = await spawnMachine();
    await initialized(machine, "a");
    const command = ["exit"];
    const large = [["A", "x".repeat(600 * 1024)]] as const;
    for (const wrong of [
      { command: [] },
      { command, workingDirectory: "tmp" },
      { command, environment: [["", "b"]] as const },
      { command, environment: large },
    ]) {
      await expect(machine.exec(wrong)).rejects.toMatchObject({ code: "VM_SPEC_INVALID" });
    }
    const running = await machine.exec({ command: ["sleep"] });
    await expect(running.kill("SIGNOTHING")).rejects.toMatchObject({ code: "VM_SPEC_INVALID" });
    await running.resize({ rows: 1, columns: 1 });
    await running.kill("SIGKILL");
    expect(await running.wait()).toEqual({ exitCode: 137, signal: "SIGKILL" });
  });

  test("that does not do all that it was asked is a warning", async () => {
    const { machine, events } = await spawnMachine();
    await initialized(machine, "odd");
    expect(events).toContainEqual({
      type: "warning",
      message: 'the guest went on without "grow": error 28',
    });
  });

  test("that talks nonsense is a failure of its own, and can be ended", async () => {
    const { machine } = await spawnMachine();
    await expect(initialized(machine, "liar")).rejects.toMatchObject({
      code: "VM_GUEST_PROTOCOL",
      kind: "corrupt",
    });
    expect(await machine.stop({ graceMs: 50 })).toMatchObject({
      step: "terminated",
      exit: { reason: "killed" },
    });
  });

  test("leaves its console and the output of its program in bounded logs", async () => {
    const { machine, spec } = await spawnMachine();
    await machine.connect();
    const program = { command: ["print", "out", "err"] };
    await machine.initialize({ hostname: "a", program });
    expect(await machine.wait()).toMatchObject({ reason: "exited", exitCode: 0 });
    const read = (name: string) => readFileSync(join(spec.logDirectory, name), "utf8");
    expect(read("console.log")).toBe("Linux version 0\r\n");
    expect(read("output.log")).toBe("outerr");
  });

  test("whose program cannot be started says so, and takes another", async () => {
    const { machine } = await spawnMachine();
    await machine.connect();
    const wrong = { hostname: "a", program: { command: ["no-such-program"] } };
    await expect(machine.initialize(wrong)).rejects.toMatchObject({ code: "VM_EXEC_NOT_FOUND" });
    await machine.initialize({ hostname: "a", program: { command: ["exit", "3"] } });
    expect(await machine.wait()).toMatchObject({ reason: "exited", exitCode: 3 });
  });
});

test("a handle that goes away leaves its commands running, whatever they write", async () => {
  const { machine, engine } = await spawnMachine();
  await initialized(machine, "a");
  const other = await engine.attach(machine.record);
  const flood = await other.exec({ command: ["flood", String(4 * 1024 * 1024)] });
  const lost = flood.wait().catch((error: unknown) => error);
  await other.close();
  expect(await lost).toMatchObject({ code: "VM_MACHINE_DIED" });
  const next = await machine.exec({ command: ["exit", "0"] });
  expect(await next.wait()).toEqual({ exitCode: 0 });
});

test("a handle that sends more input than was agreed is cut off, and harms nobody else", async () => {
  const { machine } = await spawnMachine();
  await initialized(machine, "a");
  const command = await machine.exec({ command: ["sleep"] });
  const socket = connect(machine.record.sockets["supervisor"] ?? "");
  onTestFinished(() => void socket.destroy());
  const request = { id: 1, call: "exec", request: { command: ["sleep"] }, stream: 1 };
  const message = Buffer.from(JSON.stringify(request));
  socket.write(Buffer.concat([frameHeader("message", 0, message.byteLength), message]));
  await once(socket, "data");
  const closed = once(socket, "close");
  const block = Buffer.alloc(64 * 1024);
  for (let count = 0; count < 2; count++) {
    socket.write(Buffer.concat([frameHeader("stdin", 1, block.byteLength), block]));
  }
  await closed;
  await command.kill("SIGKILL");
  expect(await command.wait()).toEqual({ exitCode: 137, signal: "SIGKILL" });
});

/** An engine whose supervisors are processes of their own. */
const withProcesses = async () => fakeEngine(await fakeQemuFolder());

test("a supervisor that is killed takes its machine along, and stopping that is no failure", async () => {
  const { machine } = await spawnMachine({}, withProcesses);
  await initialized(machine, "a");
  const command = await machine.exec({ command: ["sleep"] });
  const { pid } = machine.record.details["supervisor"] as { readonly pid: number };
  process.kill(pid, "SIGKILL");
  await expect(command.wait()).rejects.toMatchObject({ code: "VM_MACHINE_DIED" });
  expect(await machine.wait()).toMatchObject({ reason: "lost" });
  expect(isMachineAlive(machine.record)).toBe(false);
  expect(await machine.stop()).toMatchObject({ step: "already" });
});

test("a folder that lies too deep has its socket elsewhere, for this user alone", async () => {
  const spec = await makeSpec();
  const directory = join(spec.directory, "x".repeat(100));
  await mkdir(directory);
  const { machine } = await spawnMachine({ ...spec, directory }, withProcesses);
  const { supervisor = "" } = machine.record.sockets;
  expect(supervisor).toMatch(/sockets\/[0-9a-f]{16}\.sock$/);
  expect((await stat(join(supervisor, ".."))).mode & 0o777).toBe(0o700);
  expect((await stat(supervisor)).mode & 0o777).toBe(0o600);
  await initialized(machine, "a");
  await machine.stop();
  await expect.poll(() => existsSync(supervisor)).toBe(false);
});

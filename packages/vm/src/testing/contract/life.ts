import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { isBoxError } from "@box/errors";
import type { MachineEvent } from "../../machine.ts";
import { isMachineAlive, parseMachineRecord } from "../../machine-record.ts";
import type { ContractCase } from "./subject.ts";
import { withMachine, withSpawned } from "./with-machine.ts";

/** Asserts that something fails with a code. */
export async function assertFails(work: Promise<unknown>, code: string): Promise<void> {
  const error = await work.then(
    () => assert.fail(`expected ${code}`),
    (reason: unknown) => reason,
  );
  assert.equal(isBoxError(error) ? error.code : error, code);
}

/** How machines start, are found again and end. */
export const lifeCases: readonly ContractCase[] = [
  {
    title: "a spawned machine has a process, and a record that is plain JSON",
    run: (subject) =>
      withSpawned(subject, async ({ record }) => {
        assert.equal(isMachineAlive(record), true);
        assert.deepEqual(parseMachineRecord(JSON.parse(JSON.stringify(record))), record);
        assert.equal(record.engine, subject.engine.name);
        assert.deepEqual(await subject.engine.look(record), { state: "running" });
      }),
  },
  {
    title: "a machine is found by its folder, also by one who was never told its record",
    run: async (subject) => {
      const spec = await subject.spec();
      assert.equal(await subject.other().find(spec.directory), undefined);
      await using machine = await subject.engine.spawn(spec);
      try {
        assert.deepEqual(await subject.other().find(spec.directory), machine.record);
      } finally {
        await machine.stop({ graceMs: 0 });
      }
    },
  },
  {
    title: "a specification that is none is refused and starts nothing",
    run: async (subject) => {
      const spec = await subject.spec();
      await assertFails(subject.engine.spawn({ ...spec, cpus: 0 }), "VM_SPEC_INVALID");
      assert.equal(await subject.engine.find(spec.directory), undefined);
    },
  },
  {
    title: "a spawn that is aborted leaves no process",
    run: async (subject) => {
      const spec = await subject.spec();
      const controller = new AbortController();
      const spawning = subject.engine.spawn(spec, { signal: controller.signal });
      controller.abort(new Error("enough"));
      const machine = await spawning.catch((error: unknown) => {
        assert.equal((error as Error).message, "enough");
      });
      // It may have been too late to stop it: then the machine is there and works.
      if (machine !== undefined) await machine.stop({ graceMs: 0 });
      const record = await subject.engine.find(spec.directory);
      assert.equal(record !== undefined && isMachineAlive(record), false);
    },
  },
  {
    title: "the guest is reached and initialised once, by whichever handle",
    run: (subject) =>
      withSpawned(subject, async (machine) => {
        assert.equal((await machine.connect()).isInitialized, false);
        await assertFails(
          machine.exec({ command: subject.commands.exit(0) }),
          "VM_GUEST_NOT_READY",
        );
        await machine.initialize({ hostname: "contract" });
        const program = { command: subject.commands.exit(1) };
        await machine.initialize({ hostname: "other", program });
        await using other = await subject.other().attach(machine.record);
        assert.equal((await other.connect()).isInitialized, true);
        await other.initialize({ hostname: "other", program });
        const command = await machine.exec({ command: subject.commands.print });
        assert.deepEqual(await command.wait(), { exitCode: 0 });
        // A program that was started all the same would have ended the machine by then.
        const signal = AbortSignal.timeout(300);
        await assert.rejects(machine.wait({ signal }), { name: "TimeoutError" });
      }),
  },
  {
    title: "a guest that hangs is a time-out, not for ever",
    run: (subject) =>
      withSpawned(subject, async (machine) => {
        await subject.hang(machine.record);
        await assertFails(machine.connect({ timeoutMs: 200 }), "VM_GUEST_TIMEOUT");
      }),
  },
  {
    title: "waiting for the guest stops when it is told to, with the reason given",
    run: (subject) =>
      withSpawned(subject, async (machine) => {
        await subject.hang(machine.record);
        const controller = new AbortController();
        const connecting = machine.connect({ signal: controller.signal });
        controller.abort(new Error("enough"));
        await assert.rejects(connecting, /enough/);
        assert.equal(isMachineAlive(machine.record), true);
      }),
  },
  {
    title: "closing a handle leaves the machine alone",
    run: async (subject) => {
      const machine = await subject.engine.spawn(await subject.spec());
      await machine.close();
      assert.equal(isMachineAlive(machine.record), true);
      await using again = await subject.other().attach(machine.record);
      await again.stop({ graceMs: 0 });
      assert.equal(isMachineAlive(machine.record), false);
    },
  },
  {
    title: "stop asks the guest, and every other handle learns how the machine ended",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        await using other = await subject.other().attach(machine.record);
        const waiting = other.wait();
        const { step, exit } = await machine.stop();
        assert.equal(step, "guest");
        assert.equal(exit.reason, "stopped");
        assert.equal(isMachineAlive(machine.record), false);
        assert.equal((await waiting).reason, "stopped");
        const again = await other.stop();
        assert.deepEqual([again.step, again.exit.reason], ["already", "stopped"]);
        const status = await subject.other().look(machine.record);
        assert.equal(status.state === "gone" && status.exit?.reason, "stopped");
      }),
  },
  {
    title: "a guest that hangs is killed when the grace is over",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        await subject.hang(machine.record);
        const { step, exit } = await machine.stop({ graceMs: 100 });
        assert.notEqual(step, "guest");
        assert.equal(exit.reason, "killed");
        assert.equal(isMachineAlive(machine.record), false);
      }),
  },
  {
    title: "stopping to wait leaves the machine alone",
    run: (subject) =>
      withSpawned(subject, async (machine) => {
        const controller = new AbortController();
        const waiting = machine.wait({ signal: controller.signal });
        controller.abort(new Error("enough"));
        await assert.rejects(waiting, /enough/);
        assert.equal(isMachineAlive(machine.record), true);
      }),
  },
  {
    title: "a machine whose process is killed is gone for everybody, and its event says so",
    run: async (subject) => {
      const events: MachineEvent[] = [];
      const machine = await subject.engine.spawn(await subject.spec(), {
        onEvent: (event) => events.push(event),
      });
      await machine.connect();
      await machine.initialize({ hostname: "contract" });
      process.kill(machine.record.process.pid, "SIGKILL");
      const exit = await machine.wait();
      assert.ok(["lost", "crashed", "killed"].includes(exit.reason), exit.reason);
      await assertFails(subject.other().attach(machine.record), "VM_MACHINE_GONE");
      await assertFails(machine.connect(), "VM_MACHINE_DIED");
      for (let tries = 0; tries < 500 && !events.some(({ type }) => type === "exited"); tries++) {
        await delay(10);
      }
      assert.equal(events.at(-1)?.type, "exited");
      await machine.close();
    },
  },
  {
    title: "the end of the machine's program is the end of the machine, with its exit code",
    run: (subject) =>
      withSpawned(subject, async (machine) => {
        await machine.connect();
        const program = { command: subject.commands.exit(42) };
        await machine.initialize({ hostname: "contract", program });
        const exit = await machine.wait();
        assert.deepEqual([exit.reason, exit.exitCode], ["exited", 42]);
      }),
  },
  {
    title: "the record of another engine is refused",
    run: (subject) =>
      withSpawned(subject, async ({ record }) => {
        const foreign = { ...record, engine: "another" };
        await assertFails(subject.engine.attach(foreign), "VM_RECORD_FOREIGN");
      }),
  },
  {
    title: "a machine of an earlier boot of the host is gone, whatever has its pid now",
    run: (subject) =>
      withSpawned(subject, async ({ record }) => {
        const earlier = { ...record, process: { ...record.process, bootId: "another" } };
        const status = await subject.engine.look(earlier);
        assert.equal(status.state === "gone" && status.exit?.reason, "host-rebooted");
        await assertFails(subject.engine.attach(earlier), "VM_MACHINE_GONE");
      }),
  },
];

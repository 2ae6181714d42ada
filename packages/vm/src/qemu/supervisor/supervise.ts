import { once } from "node:events";
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { identityOfProcess, processIdentity } from "@box/io/node";
import { VmError } from "../../errors.ts";
import type { MachineRecord } from "../../machine-record.ts";
import { engineName, keepLine, type Launch, type LaunchAnswer } from "../launch.ts";
import { linkVersion } from "../link/messages.ts";
import { toSentError } from "../link/sent-error.ts";
import { writeMachineRecord } from "../machine-folder.ts";
import { QmpClient } from "../qmp/qmp-client.ts";
import type { QmpEvent } from "../qmp/qmp-messages.ts";
import { QemuProcess, startFailure } from "./qemu-process.ts";
import { SupervisedMachine } from "./supervised-machine.ts";

/** The process that a supervisor is. */
export interface SupervisorProcess {
  /** What its starter says: the launch and that it is to be kept, one line each. */
  readonly input: AsyncIterable<string>;
  /** Answers the starter. */
  answer(answer: LaunchAnswer): Promise<void>;
  /** Aborts when the system asks it to end. */
  readonly signal: AbortSignal;
}

/** How long QEMU may take until its monitor answers: it opens its disks before. */
const monitorTimeoutMs = 30_000;
/** The guest's time to end when the system ends, or when its owner has. */
const systemGraceMs = 5000;
const ownerGraceMs = 300;

/**
 * Starts a machine and looks after it until it has ended: the one process that talks to QEMU and to the agent, for all handles.
 */
export async function superviseMachine(own: SupervisorProcess): Promise<void> {
  const lines = own.input[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.done === true) return;
  const launch = JSON.parse(first.value) as Launch;
  const started = await start(launch).catch(async (error: unknown) => {
    await own.answer({ error: toSentError(error) });
  });
  if (started === undefined) return;
  const { machine, record } = started;
  const end = (graceMs: number) => void machine.stop(graceMs).catch(() => {});
  own.signal.addEventListener("abort", () => end(systemGraceMs), { once: true });
  await own.answer({ record }).catch(() => {});
  void keep(lines, launch, end);
  await machine.done();
  rmSync(launch.socket, { force: true });
}

/** Ends the machine when nobody knows of it, or when its owner has ended. */
async function keep(
  lines: AsyncIterator<string>,
  { spec }: Launch,
  end: (graceMs: number) => void,
): Promise<void> {
  const word = await lines.next().catch(() => undefined);
  if (word?.value !== keepLine) {
    end(0);
    return;
  }
  if (spec.lifetime === "detached") return;
  await lines.next().catch(() => {});
  end(ownerGraceMs);
}

async function start(
  launch: Launch,
): Promise<{ readonly machine: SupervisedMachine; readonly record: MachineRecord }> {
  const { spec, socket, details } = launch;
  const now = () => Date.now();
  const startedMs = now();
  const server = await listen(socket);
  const qemu = await QemuProcess.start(launch.qemu).catch((error: unknown) => {
    server.close();
    throw error;
  });
  const early: QmpEvent[] = [];
  let hear = (event: QmpEvent): void => void early.push(event);
  const qmp = new QmpClient(qemu.qmp, { onEvent: (event) => hear(event) });
  try {
    await untilRunning(qemu, qmp);
    const record: MachineRecord = {
      version: 1,
      engine: engineName,
      id: spec.id,
      boxId: spec.boxId,
      process: identityOfProcess(qemu.pid),
      directory: spec.directory,
      sockets: { supervisor: socket },
      startedMs,
      lifetime: spec.lifetime,
      details: { ...details, link: linkVersion, supervisor: processIdentity() },
    };
    writeMachineRecord(record);
    const machine = new SupervisedMachine({ spec, record, qemu, qmp, server, now });
    hear = (event) => machine.hear(event);
    for (const event of early) hear(event);
    return { machine, record };
  } catch (error) {
    server.close();
    qemu.kill("SIGKILL");
    await qemu.ended;
    throw error;
  }
}

/** Waits until QEMU has opened its disks and answers. */
async function untilRunning(qemu: QemuProcess, qmp: QmpClient): Promise<void> {
  const negotiated = qmp.negotiate({ timeoutMs: monitorTimeoutMs });
  negotiated.catch(() => {});
  const end = await Promise.race([
    qemu.ended,
    negotiated.then(
      () => undefined,
      // A monitor that was closed belongs to a QEMU that is ending, and that tells more.
      () => Promise.race([qemu.ended, delay(1000, undefined)]),
    ),
  ]);
  if (end !== undefined) throw startFailure(qemu.said, end);
  try {
    await negotiated;
  } catch (error) {
    throw new VmError({
      code: "VM_SPAWN_FAILED",
      message: `QEMU does not answer: ${(error as Error).message}`,
      cause: error,
    });
  }
}

async function listen(path: string): Promise<Server> {
  const server = createServer();
  try {
    server.listen(path);
    await once(server, "listening");
    chmodSync(path, 0o600);
    return server;
  } catch (error) {
    server.close();
    throw new VmError({
      code: "VM_SPAWN_FAILED",
      message: `cannot listen on ${path}`,
      details: { path },
      cause: error,
    });
  }
}

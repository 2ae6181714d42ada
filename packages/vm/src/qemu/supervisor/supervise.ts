import { once } from "node:events";
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { identityOfProcess, processIdentity } from "@box/io/node";
import { VmError } from "../../errors.ts";
import type { MachineRecord } from "../../machine-record.ts";
import {
  engineName,
  keepLine,
  type Launch,
  type LaunchAnswer,
  type SentWarning,
} from "../launch.ts";
import { linkVersion } from "../link/messages.ts";
import { toSentError } from "../link/sent-error.ts";
import { writeMachineRecord } from "../machine-folder.ts";
import { startQemu } from "./start-qemu.ts";
import type { SupervisedMachine } from "./supervised-machine.ts";

/** The process that a supervisor is. */
export interface SupervisorProcess {
  /** What its starter says: the launch and that it is to be kept, one line each. */
  readonly input: AsyncIterable<string>;
  /** Answers the starter. */
  answer(answer: LaunchAnswer): Promise<void>;
  /** Aborts when the system asks it to end. */
  readonly signal: AbortSignal;
}

/** The guest's time to end when the system ends, or when its owner has. */
const systemGraceMs = 5000;
const ownerGraceMs = 300;
/** Until its process is killed, whatever it does, when its owner has ended: two seconds are promised. */
const ownerEndMs = 1000;

/**
 * Starts a machine and looks after it until it has ended: the one process that talks to QEMU and to the agent, for all handles.
 */
export async function superviseMachine(own: SupervisorProcess): Promise<void> {
  const lines = own.input[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.done === true) return;
  const launch = JSON.parse(first.value) as Launch;
  const unwanted = new AbortController();
  const word = lines.next().catch(() => undefined);
  void word.then((said) => {
    if (said?.value !== keepLine) unwanted.abort();
  });
  const started = await start(launch, unwanted.signal).catch(async (error: unknown) => {
    await own.answer({ error: toSentError(error) });
  });
  if (started === undefined) return;
  const { machine, record, warnings, kill } = started;
  const end = (graceMs: number) => void machine.stop(graceMs).catch(() => {});
  own.signal.addEventListener("abort", () => end(systemGraceMs), { once: true });
  await own.answer({ record, warnings }).catch(() => {});
  void keep(word, lines, launch, (graceMs) => {
    end(graceMs);
    setTimeout(kill, ownerEndMs).unref();
  });
  await machine.done();
  rmSync(launch.socket, { force: true });
}

/** Ends the machine when nobody knows of it, or when its owner has ended. */
async function keep(
  word: Promise<IteratorResult<string> | undefined>,
  lines: AsyncIterator<string>,
  { spec }: Launch,
  end: (graceMs: number) => void,
): Promise<void> {
  if ((await word)?.value !== keepLine) {
    end(0);
    return;
  }
  if (spec.lifetime === "detached") return;
  await lines.next().catch(() => {});
  end(ownerGraceMs);
}

interface Started {
  readonly machine: SupervisedMachine;
  readonly record: MachineRecord;
  readonly warnings: readonly SentWarning[];
  /** Ends its process at once. */
  kill(): void;
}

/** @param signal - Aborts when nobody wants the machine any more. */
async function start(launch: Launch, signal: AbortSignal): Promise<Started> {
  const { spec, socket, details, template } = launch;
  const now = () => Date.now();
  const startedMs = now();
  const server = await listen(socket);
  const started = await startQemu(launch, { now, signal }).catch((error: unknown) => {
    server.close();
    throw error;
  });
  const { heard, guest, version, start: kind, reason, warnings, isSaved } = started;
  const { qemu, qmp } = heard;
  try {
    const { SupervisedMachine } = await import("./supervised-machine.ts");
    const startReason = reason === undefined ? {} : { startReason: reason };
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
      details: {
        ...details,
        ...{ start: kind, ...startReason },
        ...{ link: linkVersion, supervisor: processIdentity() },
      },
    };
    writeMachineRecord(record);
    const save =
      template === undefined || !isSaved
        ? undefined
        : {
            ...{ place: template, qmp, qemuVersion: version, now },
            // Beside the other: its path is as short as the path of a socket must be.
            ...{ socket: `${socket}~`, timeoutMs: template.timeoutMs },
          };
    const machine = new SupervisedMachine({ spec, record, qemu, qmp, guest, server, now, save });
    heard.listen((event) => machine.hear(event));
    return { machine, record, warnings, kill: () => qemu.kill("SIGKILL") };
  } catch (error) {
    server.close();
    await heard.end();
    throw error;
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

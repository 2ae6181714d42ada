import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { VmError } from "../errors.ts";
import { type MachineRecord, parseMachineRecord } from "../machine-record.ts";
import { keepLine, type Launch, type LaunchAnswer, type SentWarning } from "./launch.ts";
import { fromSentError } from "./link/sent-error.ts";
import { makePrivateFolder } from "./private-folder.ts";
import { tailOf } from "./supervisor/rolling-log.ts";
import { untilAborted } from "./until-aborted.ts";

/** A program that calls `runSupervisor`. */
export interface SupervisorProgram {
  /** Absolute path. */
  readonly path: string;
  /** Its first arguments. */
  readonly args: readonly string[];
}

/** The supervisor that this package brings, run by the Node.js that runs this. */
export function ownSupervisor(): SupervisorProgram {
  const isSource = import.meta.url.endsWith(".ts");
  const main = isSource ? "./supervisor/main.ts" : "./supervisor.cjs";
  const conditions = isSource ? ["--conditions=@box/source"] : [];
  return {
    path: process.execPath,
    args: [...frugalNode, ...conditions, fileURLToPath(new URL(main, import.meta.url))],
  };
}

/** Words for Node.js that make it need little memory: a supervisor lives as long as its machine. */
export const frugalNode: readonly string[] = [
  "--max-semi-space-size=1",
  "--max-old-space-size=128",
];

/** How a supervisor is started. */
export interface SupervisorOptions {
  /** A folder of this user's alone, for what makes the next one start faster. */
  readonly cacheFolder: string | undefined;
  /** Stops it. */
  readonly signal: AbortSignal | undefined;
}

/** A machine whose supervisor has answered. */
export interface StartedMachine {
  readonly record: MachineRecord;
  readonly warnings: readonly SentWarning[];
}

/**
 * Starts the supervisor of a machine, and by it the machine. When it throws, neither is left.
 *
 * @throws VmError `VM_SPAWN_FAILED`, `VM_NETWORK_UNSUPPORTED`, `VM_DISK_IN_USE`; the signal's reason.
 */
export async function startSupervisor(
  program: SupervisorProgram,
  launch: Launch,
  { cacheFolder, signal }: SupervisorOptions,
): Promise<StartedMachine> {
  const logPath = join(launch.spec.logDirectory, "supervisor.log");
  const child = await start(program, await keptCode(cacheFolder), logPath);
  const gone = once(child, "close");
  const { stdin, stdout } = child;
  stdin.on("error", () => {});
  try {
    stdin.write(`${JSON.stringify(launch)}\n`);
    const started = await untilAborted(answerOf(child, logPath), signal);
    stdin.write(`${keepLine}\n`);
    if (launch.spec.lifetime === "detached") stdin.end();
    stdout.destroy();
    // It ends with this process when it belongs to it; otherwise neither keeps the other.
    child.unref();
    (stdin as { unref?: () => void }).unref?.();
    return started;
  } catch (error) {
    stdin.end();
    await gone;
    throw error;
  }
}

/** The environment in which Node.js keeps what it has compiled; where it cannot, it compiles again. */
async function keptCode(cacheFolder: string | undefined): Promise<Record<string, string>> {
  if (cacheFolder === undefined) return {};
  const folder = join(cacheFolder, "code");
  const isUsable = await makePrivateFolder(folder).catch(() => false);
  return isUsable ? { NODE_COMPILE_CACHE: folder } : {};
}

interface Supervisor extends ChildProcess {
  readonly stdin: NonNullable<ChildProcess["stdin"]>;
  readonly stdout: NonNullable<ChildProcess["stdout"]>;
}

async function start(
  { path, args }: SupervisorProgram,
  env: Readonly<Record<string, string>>,
  logPath: string,
): Promise<Supervisor> {
  const log = openSync(logPath, "w", 0o600);
  try {
    const child = spawn(path, args, {
      cwd: "/",
      env,
      detached: true,
      stdio: ["pipe", "pipe", log],
    });
    await once(child, "spawn");
    return child as unknown as Supervisor;
  } catch (error) {
    throw new VmError({
      code: "VM_SPAWN_FAILED",
      message: "cannot start the supervisor of a machine",
      details: { path },
      cause: error,
    });
  } finally {
    closeSync(log);
  }
}

async function answerOf({ stdout }: Supervisor, logPath: string): Promise<StartedMachine> {
  for await (const line of createInterface({ input: stdout, terminal: false })) {
    const answer = JSON.parse(line) as LaunchAnswer;
    if ("error" in answer) throw fromSentError(answer.error);
    return { record: parseMachineRecord(answer.record), warnings: answer.warnings ?? [] };
  }
  throw new VmError({
    code: "VM_SPAWN_FAILED",
    message: `the supervisor of a machine ended before the machine ran: ${tailOf(logPath, 2000)}`,
  });
}

import { readFileSync, readlinkSync } from "node:fs";
import { errnoOf } from "./io-error.ts";

/** A process, told apart from a later one with the same pid. */
export interface ProcessIdentity {
  /** The process id. */
  readonly pid: number;
  /** When it started, in the kernel's clock ticks since boot; empty where the system does not tell. */
  readonly startTime: string;
  /** Which boot of the host it belongs to; empty where the system does not tell. */
  readonly bootId: string;
  /** Which pid namespace its pid counts in; empty where the system does not tell. */
  readonly pidNamespace: string;
}

let own: ProcessIdentity | undefined;

/** Who this process is. */
export function processIdentity(): ProcessIdentity {
  // It stays the same for as long as the process lives.
  if (own?.pid !== process.pid) own = identityOfProcess(process.pid);
  return own;
}

/** Who a process of this host is that lives now, such as one that was just started. */
export function identityOfProcess(pid: number): ProcessIdentity {
  return {
    pid,
    startTime: statusOf(pid)?.startTime ?? "",
    bootId: read("/proc/sys/kernel/random/boot_id") ?? "",
    pidNamespace: ownPidNamespace(),
  };
}

/**
 * Tells whether a process may still be alive: false only when it is provably dead.
 *
 * Another boot, no such pid, another start time, or that it waits to be collected by its parent prove it. A pid of another
 * namespace cannot be seen from here, so it counts as alive.
 */
export function isProcessAlive(identity: ProcessIdentity): boolean {
  const here = processIdentity();
  if (identity.bootId !== here.bootId) return false;
  if (identity.pidNamespace !== here.pidNamespace) return true;
  try {
    process.kill(identity.pid, 0);
  } catch (error) {
    if (errnoOf(error) === "ESRCH") return false;
  }
  const status = statusOf(identity.pid);
  if (status === undefined) return true;
  if (status.hasEnded) return false;
  return identity.startTime === "" || status.startTime === identity.startTime;
}

/** Tells whether a process stands still, as after SIGSTOP; false where it cannot be told. */
export function isProcessStopped(identity: ProcessIdentity): boolean {
  const here = processIdentity();
  if (identity.bootId !== here.bootId || identity.pidNamespace !== here.pidNamespace) return false;
  const status = statusOf(identity.pid);
  return status?.isStopped === true && status.startTime === identity.startTime;
}

interface ProcessStatus {
  readonly startTime: string;
  readonly hasEnded: boolean;
  readonly isStopped: boolean;
}

/** What the system tells about a process; undefined when it is gone or the system does not tell. */
function statusOf(pid: number): ProcessStatus | undefined {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The second field is the command in parentheses and may hold anything; the state is field 3, the start time field 22.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state = ""] = fields;
  return {
    startTime: fields[19] ?? "",
    hasEnded: /^[ZX]$/.test(state),
    isStopped: /^[Tt]$/.test(state),
  };
}

function ownPidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}

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

/** Who this process is. */
export function processIdentity(): ProcessIdentity {
  return {
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? "",
    bootId: read("/proc/sys/kernel/random/boot_id") ?? "",
    pidNamespace: ownPidNamespace(),
  };
}

/**
 * Tells whether a process may still be alive: false only when it is provably dead.
 *
 * Another boot, no such pid, or another start time prove it. A pid of another namespace cannot be seen from here,
 * so it counts as alive.
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
  const startTime = startTimeOf(identity.pid);
  return identity.startTime === "" || startTime === undefined || startTime === identity.startTime;
}

/** Start time of a process, undefined when it is gone or the system does not tell. */
function startTimeOf(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  // The second field is the command in parentheses and may hold anything; the start time is field 22.
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
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

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf, isProcessAlive, type ProcessIdentity, toIoError } from "@box/io/node";
import type { MachineStatus } from "../engine.ts";
import { VmError } from "../errors.ts";
import type { MachineExit } from "../machine.ts";
import {
  isMachineAlive,
  isOfEarlierBoot,
  type MachineRecord,
  parseMachineRecord,
} from "../machine-record.ts";

const recordFile = "machine.json";
const exitFile = "exit.json";

/** The record that a machine's folder holds. @throws VmError `VM_RECORD_INVALID`; IoError. */
export function readMachineRecord(directory: string): MachineRecord | undefined {
  const value = readJson(join(directory, recordFile));
  return value === undefined ? undefined : parseMachineRecord(value);
}

/** Leaves the record of a machine in its folder. */
export function writeMachineRecord(record: MachineRecord): void {
  writeJson(join(record.directory, recordFile), record);
}

/** Leaves word of how a machine ended. Without its folder there is nobody to leave word for. */
export function writeMachineExit({ directory, id }: MachineRecord, exit: MachineExit): void {
  try {
    writeJson(join(directory, exitFile), { ...exit, machine: id });
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

/**
 * Whether a machine runs, by its process and what its supervisor has left. While the supervisor lives, the machine has not
 * ended before the supervisor has left word of how.
 */
export function machineStatus(record: MachineRecord): MachineStatus {
  if (isOfEarlierBoot(record)) return { state: "gone", exit: { reason: "host-rebooted" } };
  if (isMachineAlive(record)) return { state: "running" };
  const exit = readMachineExit(record);
  if (exit !== undefined) return { state: "gone", exit };
  const supervisor = supervisorOf(record);
  if (supervisor !== undefined && isProcessAlive(supervisor)) return { state: "running" };
  // It may have left word after the first look.
  const late = readMachineExit(record);
  return late === undefined ? { state: "gone" } : { state: "gone", exit: late };
}

/** The process that looks after a machine. */
function supervisorOf({ details }: MachineRecord): ProcessIdentity | undefined {
  return details["supervisor"] as ProcessIdentity | undefined;
}

function readMachineExit({ directory, id }: MachineRecord): MachineExit | undefined {
  const found = readJson(join(directory, exitFile)) as
    | (MachineExit & { readonly machine: string })
    | undefined;
  if (found?.machine !== id) return undefined;
  const { machine: _, ...exit } = found;
  return exit;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    if (!(error instanceof SyntaxError)) throw toIoError(error, { action: "cannot read", path });
    throw new VmError({
      code: "VM_RECORD_INVALID",
      message: `the record of a machine is damaged: ${path} is no JSON`,
      details: { path },
      cause: error,
    });
  }
}

function writeJson(path: string, value: object): void {
  writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

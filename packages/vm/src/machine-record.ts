import { isProcessAlive, type ProcessIdentity, processIdentity } from "@box/io/node";
import { VmError } from "./errors.ts";

/**
 * What other processes need to find a machine again. Plain JSON: it is stored in the state of the home, and by the engine
 * in the machine's own folder.
 */
export interface MachineRecord {
  /** Format of this record. */
  readonly version: 1;
  /** The engine that runs it. */
  readonly engine: string;
  /** Its id: 32 hex digits. */
  readonly id: string;
  /** The box. */
  readonly boxId: string;
  /** The process that is the machine: pid, start time, boot id. Never signal a pid without comparing all of them. */
  readonly process: ProcessIdentity;
  /** Its folder. */
  readonly directory: string;
  /** Absolute paths of sockets, by what they are for, such as `agent`. */
  readonly sockets: Readonly<Record<string, string>>;
  /** When it was started, in milliseconds since 1970. */
  readonly startedMs: number;
  /** How long it lives; see `MachineSpec.lifetime`. */
  readonly lifetime: "detached" | "owner";
  /** What only the engine understands. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** Whether the process of a machine may still be alive: false only when it is provably dead, as after a reboot. */
export function isMachineAlive({ process }: Pick<MachineRecord, "process">): boolean {
  return isProcessAlive(process);
}

/** Whether the host was started again since a machine was. */
export function isOfEarlierBoot({ process }: Pick<MachineRecord, "process">): boolean {
  return process.bootId !== processIdentity().bootId;
}

/**
 * Checks a record that was read from a file or a database.
 *
 * Written by hand: it is read each time that a home with a running box is opened, and a schema costs more than that.
 *
 * @throws VmError `VM_RECORD_INVALID`.
 */
export function parseMachineRecord(value: unknown): MachineRecord {
  const record = fieldsOf(value, "the record");
  const process = fieldsOf(record["process"], "process");
  const { startedMs, lifetime, version } = record;
  if (version !== 1) throw damaged("version", "1");
  if (typeof startedMs !== "number") throw damaged("startedMs", "a number");
  if (lifetime !== "detached" && lifetime !== "owner") throw damaged("lifetime", "a lifetime");
  const { pid } = process;
  if (!Number.isSafeInteger(pid) || (pid as number) < 1) throw damaged("process.pid", "a pid");
  return {
    version,
    engine: textOf(record, "engine"),
    id: textOf(record, "id"),
    boxId: textOf(record, "boxId"),
    process: {
      pid: pid as number,
      startTime: textOf(process, "startTime"),
      bootId: textOf(process, "bootId"),
      pidNamespace: textOf(process, "pidNamespace"),
    },
    directory: textOf(record, "directory"),
    sockets: textsOf(record["sockets"]),
    startedMs,
    lifetime,
    details: fieldsOf(record["details"], "details"),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown, name: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw damaged(name, "an object");
}

function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === "string") return value;
  throw damaged(name, "a text");
}

function textsOf(value: unknown): Readonly<Record<string, string>> {
  const fields = fieldsOf(value, "sockets");
  return Object.fromEntries(Object.keys(fields).map((name) => [name, textOf(fields, name)]));
}

function damaged(field: string, wanted: string): VmError {
  return new VmError({
    code: "VM_RECORD_INVALID",
    message: `the record of a machine is damaged: ${field} is not ${wanted}`,
    details: { field },
  });
}

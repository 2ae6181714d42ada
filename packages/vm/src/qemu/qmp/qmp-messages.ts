import { isShaped, parseJson } from "../shape.ts";

const timestampShape = { seconds: "number", microseconds: "number" } as const;

/** What QEMU says about itself first. */
const greeting = {
  QMP: { version: { qemu: { major: "number", minor: "number", micro: "number" } } },
} as const;
const success = { id: "number" } as const;
const failure = { error: { class: "string", desc: "string" } } as const;
const anyEvent = { event: "string", timestamp: timestampShape } as const;
const shutdown = { guest: "boolean", reason: "string" } as const;
const panic = { action: "string" } as const;
const diskError = { operation: "string", action: "string", reason: "string" } as const;

interface Timestamp {
  readonly seconds: number;
  readonly microseconds: number;
}

/** What is told of a machine without being asked. */
export type QmpEvent =
  | { readonly event: "STOP" | "RESUME" | "RESET" | "POWERDOWN"; readonly timestamp: Timestamp }
  | {
      /** It ends. */
      readonly event: "SHUTDOWN";
      readonly timestamp: Timestamp;
      /** Whether the guest did it, and how, such as `guest-shutdown`, `guest-reset` or `host-qmp-quit`. */
      readonly data: { readonly guest: boolean; readonly reason: string };
    }
  | {
      readonly event: "GUEST_PANICKED";
      readonly timestamp: Timestamp;
      readonly data: { readonly action: string };
    }
  | {
      /** A disk cannot be read or written. */
      readonly event: "BLOCK_IO_ERROR";
      readonly timestamp: Timestamp;
      readonly data: {
        readonly operation: "read" | "write";
        /** `stop`: the machine stands still until it is told to go on. */
        readonly action: "ignore" | "report" | "stop";
        /** Whether the host has no space. */
        readonly nospace: boolean;
        readonly reason: string;
      };
    };

/** One line of QEMU's monitor. */
export type QmpMessage =
  | { readonly type: "greeting"; readonly version: string }
  | { readonly type: "success"; readonly id: number; readonly value: unknown }
  | {
      readonly type: "failure";
      /** None for a line that QEMU could not read. */
      readonly id: number | undefined;
      readonly errorClass: string;
      readonly description: string;
    }
  | { readonly type: "event"; readonly event: QmpEvent }
  /** An event that nobody here needs. */
  | { readonly type: "other"; readonly name: string };

/** Reads one line of QEMU's monitor; undefined for one that is none. */
export function parseQmpMessage(line: string): QmpMessage | undefined {
  const value = parseJson(line);
  if (typeof value !== "object" || value === null) return undefined;
  if ("event" in value) return parseEvent(value);
  if ("return" in value) {
    if (!isShaped(value, success)) return undefined;
    return { type: "success", id: value.id, value: value.return };
  }
  if ("error" in value) {
    const id = "id" in value ? value.id : undefined;
    if (!isShaped(value, failure) || (id !== undefined && typeof id !== "number")) return undefined;
    const { class: errorClass, desc: description } = value.error;
    return { type: "failure", id, errorClass, description };
  }
  if (!isShaped(value, greeting)) return undefined;
  const { major, minor, micro } = value.QMP.version.qemu;
  return { type: "greeting", version: `${major}.${minor}.${micro}` };
}

function parseEvent(value: object): QmpMessage | undefined {
  if (!isShaped(value, anyEvent)) return undefined;
  const { event: name, timestamp } = value;
  const data = "data" in value ? value.data : undefined;
  switch (name) {
    case "STOP":
    case "RESUME":
    case "RESET":
    case "POWERDOWN":
      return { type: "event", event: { event: name, timestamp } };
    case "SHUTDOWN": {
      if (!isShaped(data, shutdown)) return undefined;
      const { guest, reason } = data;
      return { type: "event", event: { event: name, timestamp, data: { guest, reason } } };
    }
    case "GUEST_PANICKED": {
      if (!isShaped(data, panic)) return undefined;
      return { type: "event", event: { event: name, timestamp, data: { action: data.action } } };
    }
    case "BLOCK_IO_ERROR": {
      const fault = diskErrorOf(data);
      if (fault === undefined) return undefined;
      return { type: "event", event: { event: name, timestamp, data: fault } };
    }
    default:
      return { type: "other", name };
  }
}

type DiskError = Extract<QmpEvent, { readonly event: "BLOCK_IO_ERROR" }>["data"];

function diskErrorOf(data: unknown): DiskError | undefined {
  if (!isShaped(data, diskError)) return undefined;
  const { operation, action, reason } = data;
  if (operation !== "read" && operation !== "write") return undefined;
  if (action !== "ignore" && action !== "report" && action !== "stop") return undefined;
  const nospace = "nospace" in data && data.nospace === true;
  return { operation, action, nospace, reason };
}

import * as z from "zod/mini";

const timestamp = z.object({ seconds: z.number(), microseconds: z.number() });

/** What QEMU says about itself first. */
const greeting = z.object({
  QMP: z.object({
    version: z.object({
      qemu: z.object({ major: z.number(), minor: z.number(), micro: z.number() }),
    }),
  }),
});

const success = z.object({ return: z.unknown(), id: z.number() });
const failure = z.object({
  error: z.object({ class: z.string(), desc: z.string() }),
  id: z.optional(z.number()),
});

const knownEvent: z.ZodMiniType<QmpEvent> = z.discriminatedUnion("event", [
  z.object({ event: z.enum(["STOP", "RESUME", "RESET", "POWERDOWN"]), timestamp }),
  z.object({
    event: z.literal("SHUTDOWN"),
    timestamp,
    data: z.object({ guest: z.boolean(), reason: z.string() }),
  }),
  z.object({
    event: z.literal("GUEST_PANICKED"),
    timestamp,
    data: z.object({ action: z.string() }),
  }),
  z.object({
    event: z.literal("BLOCK_IO_ERROR"),
    timestamp,
    data: z.object({
      operation: z.enum(["read", "write"]),
      action: z.enum(["ignore", "report", "stop"]),
      nospace: z.catch(z.boolean(), false),
      reason: z.string(),
    }),
  }),
]);
const anyEvent = z.object({ event: z.string(), timestamp });

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
    const { success: isGood, data } = success.safeParse(value);
    return isGood ? { type: "success", id: data.id, value: data.return } : undefined;
  }
  if ("error" in value) {
    const { success: isGood, data } = failure.safeParse(value);
    if (!isGood) return undefined;
    const { class: errorClass, desc: description } = data.error;
    return { type: "failure", id: data.id, errorClass, description };
  }
  const { success: isGood, data } = greeting.safeParse(value);
  if (!isGood) return undefined;
  const { major, minor, micro } = data.QMP.version.qemu;
  return { type: "greeting", version: `${major}.${minor}.${micro}` };
}

function parseEvent(value: object): QmpMessage | undefined {
  const known = knownEvent.safeParse(value);
  if (known.success) return { type: "event", event: known.data };
  const other = anyEvent.safeParse(value);
  if (!other.success || knownNames.has(other.data.event)) return undefined;
  return { type: "other", name: other.data.event };
}

const knownNames: ReadonlySet<string> = new Set([
  ...["STOP", "RESUME", "RESET", "POWERDOWN"],
  ...["SHUTDOWN", "GUEST_PANICKED", "BLOCK_IO_ERROR"],
]);

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

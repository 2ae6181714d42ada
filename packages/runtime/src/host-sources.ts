import { randomBytes } from "node:crypto";
import { type Clock, type IdSource, systemClock } from "@box/pipeline";

/** The machine's clock, by what every process has loaded anyway. */
export const hostClock: Clock = { ...systemClock, monotonicMs: () => process.uptime() * 1000 };

/** Ids of traces, from the same source as all other ids. */
export const hostIds: IdSource = {
  traceId: () => randomBytes(16).toString("hex"),
  spanId: () => randomBytes(8).toString("hex"),
};

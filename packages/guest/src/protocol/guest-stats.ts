import { protocolError } from "./frames.ts";

/** What a guest uses, as it tells it. */
export interface GuestStats {
  /** Milliseconds since its kernel was started. */
  readonly uptimeMs: number;
  /** Processors. */
  readonly cpus: number;
  /** Milliseconds that they have worked since, all together. */
  readonly cpuMs: number;
  /** Its memory in bytes. */
  readonly memoryBytes: number;
  /** What of it could be had by a program, in bytes. */
  readonly availableMemoryBytes: number;
  /** Size of the box's file system in bytes. */
  readonly diskBytes: number;
  /** What of it is free, in bytes. */
  readonly freeDiskBytes: number;
}

/** What counts on a line `cpu` of /proc/stat is told in hundredths of a second on every architecture. */
const msPerTick = 10;

/**
 * Parses what a guest tells: lines with the sizes of the box's file system and the number of processors, and the beginnings of
 * /proc/uptime, /proc/stat and /proc/meminfo.
 *
 * @throws GuestError `GUEST_PROTOCOL`.
 */
export function parseGuestStats(text: string): GuestStats {
  const [diskBytes = 0, freeDiskBytes = 0] = numbersOf(text, /^disk (\d{1,16}) (\d{1,16})$/m);
  const [uptime = 0, hundredths = 0] = numbersOf(text, /^(\d{1,10})\.(\d\d) \d+\.\d\d$/m);
  const ticks = numbersOf(
    text,
    /^cpu +(\d{1,14}) (\d{1,14}) (\d{1,14}) \d{1,14} \d{1,14} (\d{1,14}) (\d{1,14}) /m,
  );
  const [memoryKib = 0] = numbersOf(text, /^MemTotal: +(\d{1,12}) kB$/m);
  const [availableKib = 0] = numbersOf(text, /^MemAvailable: +(\d{1,12}) kB$/m);
  const [cpus = 0] = numbersOf(text, /^cpus (\d{1,5})$/m);
  return {
    uptimeMs: uptime * 1000 + hundredths * 10,
    cpus,
    cpuMs: ticks.reduce((sum, count) => sum + count, 0) * msPerTick,
    memoryBytes: memoryKib * 1024,
    availableMemoryBytes: Math.min(availableKib, memoryKib) * 1024,
    diskBytes,
    freeDiskBytes: Math.min(freeDiskBytes, diskBytes),
  };
}

function numbersOf(text: string, pattern: RegExp): readonly number[] {
  const found = pattern.exec(text)?.slice(1).map(Number);
  if (found === undefined || !found.every(Number.isSafeInteger)) {
    throw protocolError("what the guest tells of what it uses is damaged");
  }
  return found;
}

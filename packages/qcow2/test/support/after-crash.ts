import { MemoryFile } from "@box/io";
import type { LogEntry } from "./disk-script.ts";

/**
 * The file after a crash: all writes before the last flush, and of those after it each one or not.
 *
 * @param end - How much of the log there was.
 * @param chance - Chooses the writes that are lost; 0 keeps all of them.
 */
export function afterCrash(
  start: Uint8Array,
  log: readonly LogEntry[],
  end: number,
  chance: number,
): MemoryFile {
  const kept = log.slice(0, end);
  const lastFlush = kept.findLastIndex(({ kind }) => kind === "flush");
  let state = chance;
  const survives = (index: number): boolean => {
    if (index < lastFlush || chance === 0) return true;
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return state % 3 !== 0;
  };
  const writes = kept.filter((entry, index) => entry.kind === "write" && survives(index));
  const length = writes.reduce(
    (most, entry) =>
      entry.kind === "write" ? Math.max(most, entry.offset + entry.bytes.length) : most,
    start.byteLength,
  );
  const bytes = new Uint8Array(length);
  bytes.set(start);
  for (const entry of writes) if (entry.kind === "write") bytes.set(entry.bytes, entry.offset);
  return new MemoryFile(bytes);
}

import { readFileSync } from "node:fs";
import type { MachineStats } from "../../stats.ts";
import { isShaped } from "../shape.ts";

const clockTicksPerSecond = 100;
const pageBytes = 4096;

const blockStats = { stats: { rd_bytes: "number", wr_bytes: "number" } } as const;

/** What the host knows of a machine: its process, by the files of Linux, and what `query-blockstats` of QEMU gives. */
export function hostStats(pid: number, blocks: unknown): MachineStats["host"] {
  let [readBytes, writtenBytes] = [0, 0];
  for (const block of Array.isArray(blocks) ? blocks : []) {
    if (!isShaped(block, blockStats)) continue;
    readBytes += block.stats.rd_bytes;
    writtenBytes += block.stats.wr_bytes;
  }
  return { ...processStats(pid), readBytes, writtenBytes };
}

/** Of no process that the system tells nothing of. */
function processStats(pid: number): Pick<MachineStats["host"], "cpuMs" | "memoryBytes"> {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name, in parentheses, may hold anything; state is the third field, utime the 14th, rss the 24th.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [utime, stime, rss] = [fields[11], fields[12], fields[21]].map(Number);
    if (utime === undefined || stime === undefined || rss === undefined) return {};
    const cpuMs = ((utime + stime) * 1000) / clockTicksPerSecond;
    return { cpuMs, memoryBytes: rss * pageBytes };
  } catch {
    return {};
  }
}

import { spawnSync } from "node:child_process";

/** What one run took. */
export interface Sample {
  /** Seconds by the clock. */
  readonly wall: number;
  /** Seconds of all processors, in user and system mode, all threads. */
  readonly cpu: number;
}

/** One of the two that are compared. */
export type Side = () => Promise<Sample> | Sample;

/** Times work in this process; processor time counts its worker threads and its thread pool. */
export async function inProcess(work: () => Promise<unknown>): Promise<Sample> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await work();
  const wall = (performance.now() - start) / 1000;
  const used = process.cpuUsage(cpu);
  return { wall, cpu: (used.user + used.system) / 1e6 };
}

/** Times a whole process, its start included. */
export function wholeProcess(command: string, args: readonly string[]): Sample {
  // Node does not tell what a child has used; bash does, to the millisecond.
  const script = '"$@" >/dev/null; status=$?; times >&2; exit $status';
  const start = performance.now();
  const { status, stderr } = spawnSync("bash", ["-c", script, "bash", command, ...args], {
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  const wall = (performance.now() - start) / 1000;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed: ${stderr}`);
  const last = stderr.trimEnd().split("\n").at(-1) ?? "";
  const cpu = [...last.matchAll(/(\d+)m([\d.]+)s/g)]
    .map(([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds))
    .reduce((sum, seconds) => sum + seconds, 0);
  return { wall, cpu };
}

/** What several rounds of both took. */
export interface Pair {
  /** The medians of ours. */
  readonly ours: Sample;
  /** The medians of the rival's. */
  readonly theirs: Sample;
  /** Seconds by the clock of the fastest round of each. */
  readonly fastest: { readonly ours: number; readonly theirs: number };
}

/** Both sides in every round, in turns the one first and the other. One round more goes before and does not count. */
export async function interleaved(
  rounds: number,
  sides: { readonly ours: Side; readonly theirs: Side },
): Promise<Pair> {
  const samples: { ours: Sample[]; theirs: Sample[] } = { ours: [], theirs: [] };
  for (let round = 0; round <= rounds; round++) {
    const order = round % 2 === 0 ? (["theirs", "ours"] as const) : (["ours", "theirs"] as const);
    for (const side of order) {
      const sample = await sides[side]();
      if (round > 0) samples[side].push(sample);
    }
  }
  return {
    ours: medianSample(samples.ours),
    theirs: medianSample(samples.theirs),
    fastest: { ours: fastest(samples.ours), theirs: fastest(samples.theirs) },
  };
}

function fastest(samples: readonly Sample[]): number {
  return Math.min(...samples.map(({ wall }) => wall));
}

/** The one in the middle. */
function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

function medianSample(samples: readonly Sample[]): Sample {
  return {
    wall: median(samples.map(({ wall }) => wall)),
    cpu: median(samples.map(({ cpu }) => cpu)),
  };
}

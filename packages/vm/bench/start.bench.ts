// From the call that starts a machine to the first output of a command in it: by booting, and from a template.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { MachineSpec } from "@box/vm";
import { BenchMachines } from "./bench-machines.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    memory: { type: "string", default: "256" },
  },
});
const rounds = Number(values.rounds);
const memoryMiB = Number(values.memory);

/** Milliseconds until each of these. */
interface Times {
  readonly spawned: number;
  readonly connected: number;
  readonly ready: number;
  readonly output: number;
  /** Milliseconds of processors by then, of QEMU and of its supervisor. */
  readonly cpu: number;
}

const machines = await BenchMachines.prepare();
try {
  for (const guestRootfs of ["disk", "initramfs"] as const) {
    const cold: Times[] = [];
    const warm: Times[] = [];
    const first = await start(guestRootfs, false);
    if (first.start !== "cold") throw new Error("the first machine did not boot");
    for (let round = 0; round < rounds; round++) {
      cold.push((await start(guestRootfs, true)).times);
      const { start: kind, times } = await start(guestRootfs, false);
      if (kind !== "warm") throw new Error("a machine did not start from the template");
      warm.push(times);
    }
    print(
      `system on ${guestRootfs}, ${memoryMiB} MiB, medians of ${rounds} in ms (fastest to slowest):`,
    );
    print(`  first, saves  ${first.times.output.toFixed(0)}`);
    report("cold", cold, 2500);
    report("warm", warm, 350);
  }
} finally {
  await machines.remove();
}

async function start(
  guestRootfs: MachineSpec["guestRootfs"],
  bootsAlways: boolean,
): Promise<{ readonly times: Times; readonly start: unknown }> {
  const { spec, remove } = await machines.describe({ guestRootfs, memoryMiB, bootsAlways });
  const begin = performance.now();
  const since = () => performance.now() - begin;
  const machine = await machines.engine.spawn(spec);
  const spawned = since();
  await machine.connect();
  const connected = since();
  await machine.initialize({ hostname: "bench" });
  const ready = since();
  const command = await machine.exec({ command: ["/bin/contract", "print"] });
  for await (const _ of command.stdout) break;
  const output = since();
  const { process: qemu, details } = machine.record;
  const cpu = cpuOf(qemu) + cpuOf(details["supervisor"] as typeof qemu);
  await machine.stop({ graceMs: 0 });
  await machine.close();
  await remove();
  return { times: { spawned, connected, ready, output, cpu }, start: details["start"] };
}

/** What a process has used of processors, in milliseconds: proc(5), fields 14 and 15, in hundredths of a second. */
function cpuOf({ pid }: { readonly pid: number }): number {
  const [, rest = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ");
  const fields = rest.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function report(name: string, times: readonly Times[], targetMs: number): void {
  const of = (key: keyof Times) => times.map((each) => each[key]).sort((a, b) => a - b);
  const median = (key: keyof Times) => of(key)[times.length >> 1] ?? 0;
  const stages = (["spawned", "connected", "ready"] as const)
    .map((key) => `${key} ${median(key).toFixed(0)}`)
    .join(", ");
  const outputs = of("output");
  const word = median("output") <= targetMs ? "met" : "MISSED";
  print(
    `  ${name}  first output ${median("output").toFixed(0)} (${outputs[0]?.toFixed(0)} to ${outputs.at(-1)?.toFixed(0)}); ` +
      `${stages}; CPU ${median("cpu").toFixed(0)}; target ${targetMs}: ${word}`,
  );
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

// Boots while other programs keep the processors busy: each has to come up, and to run a command.
import { type ChildProcess, spawn } from "node:child_process";
import { parseArgs } from "node:util";
import { BenchMachines } from "./bench-machines.ts";

const { values } = parseArgs({
  options: {
    boots: { type: "string", default: "50" },
    busy: { type: "string", default: "8" },
  },
});
const boots = Number(values.boots);
/** Beside eight programs on two processors a boot takes some 15 s. The engine's own limits are shorter and count as failures. */
const limitMs = 120_000;

const machines = await BenchMachines.prepare();
const busy: ChildProcess[] = [];
const times: number[] = [];
let [failed, hung] = [0, 0];
try {
  for (let i = 0; i < Number(values.busy); i++) {
    // In a session of its own: systems share processors out among sessions, not among all programs.
    const options = { stdio: "ignore", detached: true } as const;
    busy.push(spawn(process.execPath, ["-e", "for (;;);"], options));
  }
  for (let i = 1; i <= boots; i++) {
    const guestRootfs = i % 2 === 1 ? "disk" : "initramfs";
    const word = await bootOnce(guestRootfs).then(took, fell);
    process.stdout.write(`boot ${i} of ${boots}, ${guestRootfs}: ${word}\n`);
  }
} finally {
  for (const child of busy) child.kill("SIGKILL");
  await machines.remove();
}
const sorted = times.sort((a, b) => a - b);
const [first = 0, middle = 0, last = 0] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)];
process.stdout.write(
  `${boots} boots beside ${values.busy} busy programs: ${failed} failed, ${hung} hung; ` +
    `first output after ${middle.toFixed(0)} ms (${first.toFixed(0)} to ${last.toFixed(0)})\n`,
);
process.exitCode = failed + hung === 0 ? 0 : 1;

function took(ms: number): string {
  times.push(ms);
  return `${ms.toFixed(0)} ms`;
}

function fell(error: Error): string {
  if (error.name === "TimeoutError") hung += 1;
  else failed += 1;
  return error.name === "TimeoutError" ? `hung for ${limitMs} ms` : `failed: ${error.message}`;
}

/** Milliseconds to the first output of a command. Throws a `TimeoutError` when that takes too long. */
async function bootOnce(guestRootfs: "disk" | "initramfs"): Promise<number> {
  const { spec, remove } = await machines.describe({
    guestRootfs,
    memoryMiB: 256,
    bootsAlways: true,
  });
  const begin = performance.now();
  const signal = AbortSignal.timeout(limitMs);
  const machine = await machines.engine.spawn(spec, { signal });
  try {
    await machine.connect({ signal });
    await machine.initialize({ hostname: "bench" }, { signal });
    const { stdout } = await machine.exec({ command: ["/bin/contract", "print"] }, { signal });
    for await (const _ of stdout) break;
    return performance.now() - begin;
  } finally {
    await machine.stop({ graceMs: 0 });
    await machine.close();
    await remove();
  }
}

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
const limitMs = 120_000;

const machines = await BenchMachines.prepare();
const busy: ChildProcess[] = [];
try {
  for (let i = 0; i < Number(values.busy); i++) {
    busy.push(spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }));
  }
  const times: number[] = [];
  let failed = 0;
  for (let i = 0; i < boots; i++) {
    const ms = await bootOnce(i % 2 === 0 ? "disk" : "initramfs").catch((error: Error) => {
      process.stdout.write(`boot ${i}: ${error.message}\n`);
      failed += 1;
    });
    if (ms !== undefined) times.push(ms);
  }
  const sorted = times.sort((a, b) => a - b);
  const [first = 0, middle = 0, last = 0] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)];
  process.stdout.write(
    `${boots} boots beside ${values.busy} busy programs: ${failed} failed or hung; ` +
      `first output after ${middle.toFixed(0)} ms (${first.toFixed(0)} to ${last.toFixed(0)})\n`,
  );
} finally {
  for (const child of busy) child.kill("SIGKILL");
  await machines.remove();
}

/** Milliseconds to the first output of a command. Throws when that takes too long. */
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
    await machine.initialize({ hostname: "bench" });
    const { stdout } = await machine.exec({ command: ["/bin/contract", "print"] });
    for await (const _ of stdout) break;
    return performance.now() - begin;
  } finally {
    await machine.stop({ graceMs: 0 });
    await machine.close();
    await remove();
  }
}

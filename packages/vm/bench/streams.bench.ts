// Bytes a second through a command of a machine: what it writes, and what it reads and writes again.
import { parseArgs } from "node:util";
import type { ExecProcess } from "@box/vm";
import { BenchMachines } from "./bench-machines.ts";

const { values } = parseArgs({ options: { mb: { type: "string", default: "200" } } });
const bytes = Number(values.mb) * 1e6;
const chunk = Buffer.alloc(2 ** 20, "box ");
const targetMb = 30;

const machines = await BenchMachines.prepare();
try {
  const { spec, remove } = await machines.describe({ guestRootfs: "disk", memoryMiB: 256 });
  const machine = await machines.engine.spawn(spec);
  try {
    await machine.connect();
    await machine.initialize({ hostname: "bench" });
    const { stdout } = await machine.exec({ command: ["/bin/contract", "flood", String(bytes)] });
    report("stdout", await timeOf(read(stdout)));
    const copy = await machine.exec({ command: ["/bin/contract", "copy"] });
    report("stdin and stdout", await timeOf(Promise.all([write(copy), read(copy.stdout)])));
  } finally {
    await machine.stop({ graceMs: 0 });
    await machine.close();
    await remove();
  }
} finally {
  await machines.remove();
}

async function write({ stdin }: ExecProcess): Promise<void> {
  for (let left = bytes; left > 0; left -= chunk.byteLength) {
    await stdin.write(chunk.subarray(0, left));
  }
  await stdin.end();
}

/** Reads as much as is measured. */
async function read(output: AsyncIterable<Uint8Array>): Promise<void> {
  let left = bytes;
  for await (const { byteLength } of output) {
    left -= byteLength;
    if (left <= 0) return;
  }
  throw new Error("the command ended early");
}

async function timeOf(work: Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work;
  return (performance.now() - begin) / 1000;
}

function report(name: string, seconds: number): void {
  const mb = bytes / 1e6 / seconds;
  const word = mb >= targetMb ? "met" : "MISSED";
  process.stdout.write(`${name}: ${mb.toFixed(0)} MB/s; target ${targetMb}: ${word}\n`);
}

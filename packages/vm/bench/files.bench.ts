// Files on their way into a machine and out of it: many small ones, and a large one.
import { truncate } from "node:fs/promises";
import { parseArgs } from "node:util";
import { encodeTreeRecord, type TreeRecord } from "@box/guest/protocol";
import type { Machine } from "@box/vm";
import { BenchMachines } from "./bench-machines.ts";

const { values } = parseArgs({
  options: {
    files: { type: "string", default: "1000" },
    mb: { type: "string", default: "100" },
    rounds: { type: "string", default: "3" },
  },
});
const [fileCount, bytes] = [Number(values.files), Number(values.mb) * 1e6];
const text = new TextEncoder();
const longestWrite = 64 * 1024;

const machines = await BenchMachines.prepare();
try {
  const { spec, remove } = await machines.describe({ guestRootfs: "disk", memoryMiB: 256 });
  // Its file system grows into it.
  for (const { path } of spec.disks) await truncate(path, 512 * 2 ** 20);
  const machine = await machines.engine.spawn(spec);
  try {
    await machine.connect();
    await machine.initialize({ hostname: "bench" });
    for (let round = 0; round < Number(values.rounds); round++) {
      await measure(`${fileCount} files in`, () => put(machine, smallFiles()));
      await measure(`${fileCount} files out`, () => get(machine, "/small"));
      await measure(`${values.mb} MB in`, () => put(machine, largeFile()));
      await measure(`${values.mb} MB out`, () => get(machine, "/large"));
    }
  } finally {
    await machine.stop({ graceMs: 0 });
    await machine.close();
    await remove();
  }
} finally {
  await machines.remove();
}

function* smallFiles(): Generator<Uint8Array> {
  const content = Buffer.alloc(1024, "box ");
  yield record("directory", "small", 0);
  for (let index = 0; index < fileCount; index++) {
    yield Buffer.concat([record("file", `small/file-${index}`, content.length), content]);
  }
}

function* largeFile(): Generator<Uint8Array> {
  yield record("file", "large", bytes);
  const chunk = Buffer.alloc(longestWrite, "box ");
  for (let left = bytes; left > 0; left -= chunk.length) yield chunk.subarray(0, left);
}

function record(kind: TreeRecord["kind"], path: string, sizeBytes: number): Uint8Array {
  return encodeTreeRecord({
    ...{ kind, mode: 0o755, uid: 0, gid: 0, mtimeNs: 10n ** 18n, sizeBytes },
    ...{ path: text.encode(path), linkTarget: new Uint8Array(0) },
  });
}

/** As those do who copy files: in pieces of 64 KiB. */
async function put(machine: Machine, parts: Iterable<Uint8Array>): Promise<void> {
  await using stream = await machine.open({ type: "put", path: "/" });
  let waiting: Uint8Array[] = [];
  let length = 0;
  for (const part of parts) {
    waiting.push(part);
    length += part.byteLength;
    if (length < longestWrite) continue;
    await stream.stdin.write(Buffer.concat(waiting));
    [waiting, length] = [[], 0];
  }
  if (length > 0) await stream.stdin.write(Buffer.concat(waiting));
  await stream.stdin.end();
  await stream.wait();
}

async function get(machine: Machine, path: string): Promise<void> {
  await using stream = await machine.open({ type: "get", path });
  for await (const _ of stream.stdout);
  await stream.wait();
}

async function measure(name: string, work: () => Promise<void>): Promise<void> {
  const begin = performance.now();
  await work();
  process.stdout.write(`${name}: ${(performance.now() - begin).toFixed(0)} ms\n`);
}

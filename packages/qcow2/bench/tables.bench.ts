// Checking and mapping disks of 100 GiB: every cluster of 64 KiB allocated, and 40,000 scattered ones of 4 KiB.
import { execFileSync } from "node:child_process";
import { openFile } from "@box/io/node";
import { checkImage, openImage, toQemuMap } from "@box/qcow2";
import { openImageFile } from "@box/qcow2/node";
import { benchFolder, benchOptions, qemuVersion } from "./support/input.ts";
import { inProcess, interleaved, wholeProcess } from "./support/measure.ts";
import { atMost, printHead, printPair } from "./support/report.ts";

const { rounds, scattered } = benchOptions({ rounds: 7, scattered: 40_000 });
const sizeBytes = 100 * 2 ** 30;
using folder = benchFolder();
const full = folder.at("full.qcow2");
const sparse = folder.at("scattered.qcow2");
execFileSync("qemu-img", [
  ...["create", "-q", "-f", "qcow2", "-o", "preallocation=metadata"],
  ...[full, String(sizeBytes)],
]);
execFileSync("qemu-img", [
  ...["create", "-q", "-f", "qcow2", "-o", "cluster_size=4096"],
  ...[sparse, String(sizeBytes)],
]);
await writeScattered(sparse, scattered);

printHead(
  `100 GiB virtual: 1.6 million clusters of 64 KiB; ${scattered} scattered clusters of 4 KiB`,
  qemuVersion(),
);
for (const [name, path] of [
  ["1.6 M x 64 KiB", full],
  ["scattered 4 KiB", sparse],
] as const) {
  const check = await interleaved(rounds, {
    ours: () => inProcess(() => checkOf(path)),
    theirs: () => wholeProcess("qemu-img", ["check", "-f", "qcow2", path]),
  });
  printPair(`check, ${name}`, check, atMost(1.5, check));
  const map = await interleaved(rounds, {
    ours: () => inProcess(() => mapOf(path)),
    theirs: () => wholeProcess("qemu-img", ["map", "-f", "qcow2", "--output=json", path]),
  });
  printPair(`map, ${name}`, map, atMost(1.5, map));
}

async function checkOf(path: string): Promise<void> {
  await using file = await openFile(path, { blocking: true });
  const { findings } = await checkImage(file);
  if (findings.length > 0) throw new Error("the image of the bench is not sound");
}

async function mapOf(path: string): Promise<void> {
  await using image = await openImageFile(path, { blocking: true });
  JSON.stringify(await toQemuMap(image));
}

/** Writes clusters all over a disk, at the same places in every run. */
async function writeScattered(path: string, count: number): Promise<void> {
  await using file = await openFile(path, { mode: "rw", blocking: true });
  await using image = await openImage(file, { mode: "rw" });
  const bytes = new Uint8Array(4096).fill(7);
  let seed = 1;
  for (let index = 0; index < count; index++) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    await image.write((seed % (sizeBytes / 4096)) * 4096, bytes);
  }
}

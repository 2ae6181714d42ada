// Comparing two disks that are the same: all of both is read.
import { execFileSync } from "node:child_process";
import { openFile } from "@box/io/node";
import { compareImages } from "@box/qcow2";
import { openImageFile, openWorkerCodec } from "@box/qcow2/node";
import {
  benchFolder,
  benchOptions,
  mixedDiskText,
  qemuVersion,
  writeMixedDisk,
} from "./support/input.ts";
import { inProcess, interleaved, wholeProcess } from "./support/measure.ts";
import { atMost, printHead, printPair } from "./support/report.ts";

const { mib, rounds } = benchOptions({ mib: 1024, rounds: 8 });
using folder = benchFolder();
const raw = folder.at("raw");
writeMixedDisk(raw, mib);
printHead(mixedDiskText(mib), `${qemuVersion()} compare`);
await using codec = openWorkerCodec();
for (const [name, options] of [
  ["qcow2", []],
  ["zlib", ["-c"]],
] as const) {
  const path = folder.at(name);
  execFileSync("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", ...options, raw, path]);
  const pair = await interleaved(rounds, {
    ours: () => inProcess(() => compareOurs(path)),
    theirs: () => wholeProcess("qemu-img", ["compare", "-f", "qcow2", "-F", "raw", path, raw]),
  });
  printPair(`${name} with raw`, pair, atMost(1.3, pair));
}

async function compareOurs(path: string): Promise<void> {
  await using image = await openImageFile(path, { codec });
  await using file = await openFile(raw);
  const { isIdentical } = await compareImages(image, file);
  if (!isIdentical) throw new Error("the disks of the bench differ");
}

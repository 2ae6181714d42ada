// Converting, with and without compression.
import { execFileSync } from "node:child_process";
import { rmSync, statSync } from "node:fs";
import { openFile } from "@box/io/node";
import { convertImage } from "@box/qcow2";
import { openImageFile, openWorkerCodec } from "@box/qcow2/node";
import {
  benchFolder,
  benchOptions,
  mixedDiskText,
  qemuVersion,
  writeMixedDisk,
} from "./support/input.ts";
import { inProcess, interleaved, type Sample, wholeProcess } from "./support/measure.ts";
import { atMost, printHead, printPair } from "./support/report.ts";

interface Job {
  readonly from: "raw" | "qcow2" | "zlib" | "zstd";
  readonly to: "raw" | "qcow2" | "zlib" | "zstd";
}

const jobs: readonly Job[] = [
  { from: "raw", to: "qcow2" },
  { from: "qcow2", to: "raw" },
  { from: "zlib", to: "raw" },
  { from: "zstd", to: "raw" },
  { from: "raw", to: "zlib" },
  { from: "raw", to: "zstd" },
];

const { mib, rounds } = benchOptions({ mib: 1024, rounds: 24 });
// A round that compresses takes so long that a pause of the machine is little of it.
const compressingRounds = Math.ceil(rounds / 4);
using folder = benchFolder();
const at = (name: string): string => folder.at(name);
writeMixedDisk(at("raw"), mib);
for (const { name, args } of [
  { name: "qcow2", args: [] },
  { name: "zlib", args: ["-c"] },
  { name: "zstd", args: ["-c", "-o", "compression_type=zstd"] },
]) {
  const all = ["convert", "-f", "raw", "-O", "qcow2", ...args, at("raw"), at(name)];
  execFileSync("qemu-img", all);
}

printHead(mixedDiskText(mib), `${qemuVersion()} convert`);
await using codec = openWorkerCodec();
for (const job of jobs) {
  const sides = { ours: () => runOurs(job), theirs: () => runQemu(job) };
  const pair = await interleaved(isCompressing(job.to) ? compressingRounds : rounds, sides);
  const format = job.to === "raw" ? "raw" : "qcow2";
  execFileSync("qemu-img", ["compare", "-f", format, "-F", format, at("ours"), at("theirs")]);
  if (format === "qcow2") execFileSync("qemu-img", ["check", "-q", "-f", "qcow2", at("ours")]);
  const note = `on disk ${onDisk("ours")} / ${onDisk("theirs")} MiB`;
  printPair(`${job.from} -> ${job.to}`, pair, atMost(1, pair), note);
}

function runOurs({ from, to }: Job): Promise<Sample> {
  rmSync(at("ours"), { force: true });
  return inProcess(async () => {
    await using target = await openFile(at("ours"), { mode: "create" });
    await using source =
      from === "raw" ? await openFile(at(from)) : await openImageFile(at(from), { codec });
    await convertImage(source, target, {
      format: to === "raw" ? "raw" : "qcow2",
      ...(isCompressing(to) && { compressed: to, codec }),
    });
  });
}

function runQemu({ from, to }: Job): Sample {
  rmSync(at("theirs"), { force: true });
  const args = [
    ...["convert", "-f", from === "raw" ? "raw" : "qcow2"],
    ...["-O", to === "raw" ? "raw" : "qcow2"],
    ...(isCompressing(to) ? ["-c", "-o", `compression_type=${to}`] : []),
  ];
  return wholeProcess("qemu-img", [...args, at(from), at("theirs")]);
}

function isCompressing(to: Job["to"]): to is "zlib" | "zstd" {
  return to === "zlib" || to === "zstd";
}

function onDisk(name: string): string {
  return ((statSync(at(name)).blocks * 512) / 2 ** 20).toFixed(0);
}

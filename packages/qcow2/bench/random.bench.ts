// Random reads and writes of 4 KiB.
import { execFileSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { dirname } from "node:path";
import { type OpenImageFileOptions, openImageFile, withinDirectory } from "@box/qcow2/node";
import {
  benchFolder,
  benchOptions,
  mixedDiskText,
  qemuVersion,
  writeMixedDisk,
} from "./support/input.ts";
import { inProcess, interleaved, wholeProcess } from "./support/measure.ts";
import { print, printHead, printPair } from "./support/report.ts";

const { mib, rounds, reads, writes } = benchOptions({
  mib: 256,
  rounds: 5,
  reads: 20_000,
  writes: 20_000,
});
const sizeBytes = mib * 2 ** 20;
const blockBytes = 4096;
/** A prime number of blocks, so that every block of the disk comes once before the first comes again. */
const stepBytes = 7919 * blockBytes;

using folder = benchFolder();
const at = (name: string): string => folder.at(name);
writeMixedDisk(at("raw"), mib);
execFileSync("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", "-c", at("raw"), at("zlib")]);
execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", at("plain"), String(sizeBytes)]);
execFileSync("qemu-io", ["-f", "qcow2", "-c", `write -P 7 0 ${sizeBytes}`, at("plain")], {
  stdio: "ignore",
});
execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", at("empty"), String(sizeBytes)]);
execFileSync("qemu-img", [
  ...["create", "-q", "-f", "qcow2", "-b", "plain", "-F", "qcow2"],
  ...[at("overlay"), String(sizeBytes)],
]);

printHead(mixedDiskText(mib), `${qemuVersion()} bench`);
await readBench("read, blocking file", "plain", reads, { blocking: true }, 1, 50_000);
await readBench("read, thread pool", "plain", reads, {});
await readBench("read, pool, 16 at a time", "plain", reads, {}, 16);
await readBench("read, zlib", "zlib", Math.ceil(reads / 10), { blocking: true });
await writeBench("write, empty image", "empty");
await writeBench("write, overlay", "overlay");
print("each write bench ends with a flush; ours and the rival's images are compared");

async function readBench(
  name: string,
  image: string,
  count: number,
  options: OpenImageFileOptions,
  atATime = 1,
  leastPerSecond?: number,
): Promise<void> {
  const pair = await interleaved(rounds, {
    ours: async () => {
      await using disk = await openImageFile(at(image), options);
      // The L2 cache is warm.
      await disk.read(0, blockBytes);
      let index = 0;
      const readSome = async (): Promise<void> => {
        const into = new Uint8Array(blockBytes);
        while (index < count) await disk.read((index++ * stepBytes) % sizeBytes, blockBytes, into);
      };
      return await inProcess(() => Promise.all(Array.from({ length: atATime }, readSome)));
    },
    theirs: () => wholeProcess("qemu-img", ["bench", ...benchArguments(count, atATime), at(image)]),
  });
  const perSecond = Math.round(count / pair.ours.wall);
  const target = leastPerSecond !== undefined && {
    text: `>= ${leastPerSecond}/s`,
    isMet: perSecond >= leastPerSecond,
  };
  printPair(name, pair, target || undefined, `${perSecond} a second`);
}

async function writeBench(name: string, image: string): Promise<void> {
  const bytes = new Uint8Array(blockBytes).fill(9);
  const pair = await interleaved(rounds, {
    ours: async () => {
      copyFileSync(at(image), at("ours"));
      const backing = withinDirectory(dirname(at("plain")));
      return await inProcess(async () => {
        await using disk = await openImageFile(at("ours"), { mode: "rw", blocking: true, backing });
        for (let index = 0; index < writes; index++) {
          await disk.write((index * stepBytes) % sizeBytes, bytes);
        }
      });
    },
    theirs: () => {
      copyFileSync(at(image), at("theirs"));
      const args = ["bench", "-w", "--pattern=9", ...benchArguments(writes), at("theirs")];
      return wholeProcess("qemu-img", args);
    },
  });
  execFileSync("qemu-img", ["compare", "-f", "qcow2", "-F", "qcow2", at("ours"), at("theirs")]);
  execFileSync("qemu-img", ["check", "-q", "-f", "qcow2", at("ours")]);
  printPair(name, pair, undefined, `${Math.round(writes / pair.ours.wall)} a second`);
}

function benchArguments(count: number, atATime = 1): string[] {
  const size = ["-s", String(blockBytes), "-S", String(stepBytes)];
  return ["-f", "qcow2", "-c", String(count), "-d", String(atATime), ...size];
}

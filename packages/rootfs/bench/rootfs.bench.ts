// Building a root file system beside umoci unpack + mke2fs -d and beside gzip -dc, on the same layers in the same run.
// The image is like the one that the targets were set on, and as large; `--shape mixed --mib 1300 --files 33000 --rounds 3` is another.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  type BuildFigures,
  cpuSecondsOf,
  type Figures,
  makePackages,
  median,
  runBuild,
} from "./run-build.ts";
import { developmentSize, shapes, writeSampleImage } from "./sample-image.ts";

const { values } = parseArgs({
  options: {
    mib: { type: "string" },
    files: { type: "string" },
    rounds: { type: "string" },
    shape: { type: "string" },
  },
  strict: false,
});
const shape = values["shape"] === "mixed" ? "mixed" : "development";
const usual = shape === "mixed" ? { files: 33_000, megabytes: 1300 } : developmentSize;
const megabytes = Number(values["mib"] ?? usual.megabytes);
const files = Number(values["files"] ?? usual.files);
const rounds = Number(values["rounds"] ?? 3);

const folder = mkdtempSync(join(tmpdir(), "box-bench-"));
const at = (name: string): string => join(folder, name);
try {
  makePackages();
  const size = { files, bytes: megabytes * 2 ** 20, layers: 5, shape: shapes[shape] };
  const blobs = await writeSampleImage(at("image"), size);
  const compressed = blobs.reduce((sum, blob) => sum + statSync(blob).size, 0) / 1e6;
  process.stdout.write(
    `input: ${megabytes} MiB in ${files} files, shape ${shape}, 5 gzip layers of ${compressed.toFixed(0)} MB\n`,
  );
  const runs = {
    box: [] as BuildFigures[],
    gzip: [] as Figures[],
    umoci: [] as Figures[],
    mke2fs: [] as Figures[],
  };
  for (let round = 0; round < rounds; round++) {
    runs.box.push(runBuild(at("image"), at("ours.ext4")));
    runs.gzip.push(runShell(blobs.map((blob) => `gzip -dc ${blob} > /dev/null`).join("\n")));
    rmSync(at("tree"), { recursive: true, force: true });
    rmSync(at("theirs.ext4"), { force: true });
    runs.umoci.push(
      runShell(`umoci raw unpack --image ${at("image")}:latest ${at("tree")} > /dev/null`),
    );
    runs.mke2fs.push(
      runShell(`mke2fs -q -F -t ext4 -d ${at("tree")} ${at("theirs.ext4")} ${megabytes * 2}M`),
    );
  }
  execFileSync("e2fsck", ["-fn", at("ours.ext4")], { stdio: "ignore" });
  const peak = Math.max(...runs.box.map(({ peakMegabytes }) => peakMegabytes));
  print("box rootfs build", runs.box, `peak ${peak.toFixed(0)} MB`, peak <= 150, "<= 150 MB");
  const ours = median(runs.box.map(({ cpuSeconds }) => cpuSeconds));
  const gzip = ours / median(runs.gzip.map(({ cpuSeconds }) => cpuSeconds));
  print("gzip -dc", runs.gzip, `ours takes ${gzip.toFixed(2)}x`, gzip <= 1.3, "CPU <= 1.3x");
  const both = runs.umoci.map((umoci, round) => added(umoci, runs.mke2fs[round]));
  const part = ours / median(both.map(({ cpuSeconds }) => cpuSeconds));
  const ofMke2fs = median(runs.mke2fs.map(({ cpuSeconds }) => cpuSeconds)).toFixed(1);
  const share = `of which mke2fs ${ofMke2fs} s; ours takes 1/${(1 / part).toFixed(1)}`;
  print("umoci + mke2fs -d", both, share, part <= 1 / 8, "CPU <= 1/8");
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function print(
  name: string,
  figures: readonly Figures[],
  verdict: string,
  isMet: boolean,
  target: string,
): void {
  const cpu = median(figures.map(({ cpuSeconds }) => cpuSeconds)).toFixed(2);
  const wall = median(figures.map(({ wallSeconds }) => wallSeconds)).toFixed(2);
  process.stdout.write(
    `${name.padEnd(18)} CPU ${cpu} s, wall ${wall} s; ${verdict} (${target}: ${isMet ? "met" : "MISSED"})\n`,
  );
}

function added(first: Figures, second: Figures | undefined): Figures {
  return {
    cpuSeconds: first.cpuSeconds + (second?.cpuSeconds ?? 0),
    wallSeconds: first.wallSeconds + (second?.wallSeconds ?? 0),
  };
}

/** A shell's commands; `times` tells the processor time of what it ran. */
function runShell(script: string): Figures {
  const start = performance.now();
  const printed = execFileSync("bash", ["-euc", `${script}\ntimes`], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  const wallSeconds = (performance.now() - start) / 1000;
  return { cpuSeconds: cpuSecondsOf(printed), wallSeconds };
}

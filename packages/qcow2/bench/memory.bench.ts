// Memory for converting: the same data in a disk of 1 GiB and of 1 TiB, and ten times the data.
import { execFileSync, spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { benchFolder, benchOptions, mixedDiskText, writeMixedDisk } from "./support/input.ts";
import { print, printFigure } from "./support/report.ts";

const { mib } = benchOptions({ mib: 1024 });
using folder = benchFolder();
const at = (name: string): string => folder.at(name);
const script = `${import.meta.dirname}/support/convert-once.ts`;

writeMixedDisk(at("large.raw"), mib);
writeMixedDisk(at("small.raw"), Math.ceil(mib / 10));
for (const name of ["large", "small"]) {
  execFileSync("qemu-img", ["convert", "-O", "qcow2", at(`${name}.raw`), at(`${name}.qcow2`)]);
}
execFileSync("cp", [at("small.qcow2"), at("sparse.qcow2")]);
execFileSync("qemu-img", ["resize", "-q", "-f", "qcow2", at("sparse.qcow2"), "1T"]);

print(`input: ${mixedDiskText(mib)}; a tenth of it; and that tenth in a disk of 1 TiB`);
print("peak memory of a process of its own, Node.js included");
const empty = peakMegabytes([]);
printFigure("nothing", `${empty.toFixed(0)} MB`);
const qcow2 = ["small", "sparse", "large"].map((name) => [`${name}.qcow2`, "qcow2"] as const);
for (const [from, to] of [
  ...qcow2,
  ["sparse.qcow2", "raw"],
  ["large.qcow2", "raw"],
  ["large.qcow2", "zstd"],
] as const) {
  const megabytes = peakMegabytes([at(from), at("out"), to]);
  rmSync(at("out"), { force: true });
  printFigure(`${from} -> ${to}`, `${megabytes.toFixed(0)} MB`, {
    text: "flat, <= 150 MB",
    isMet: megabytes <= 150,
  });
}

function peakMegabytes(args: readonly string[]): number {
  const all = [...process.execArgv, script, ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return Number(stdout) / 1024;
}

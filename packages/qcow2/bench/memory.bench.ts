// Memory for converting: the same data in a disk of 1 GiB and of 1 TiB, and ten times the data.
import { execFileSync, spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { benchFolder, benchOptions, mixedDiskText, writeMixedDisk } from "./support/input.ts";
import { print, printFigure } from "./support/report.ts";

const { mib } = benchOptions({ mib: 1024 });
using folder = benchFolder();
const at = (name: string): string => folder.at(name);
/** What the collector of Node.js may leave lying about. */
const slackMegabytes = 64;
const script = fileURLToPath(new URL("./support/convert-once.ts", import.meta.url));

writeMixedDisk(at("large.raw"), mib);
writeMixedDisk(at("small.raw"), Math.ceil(mib / 10));
for (const name of ["large", "small"]) {
  execFileSync("qemu-img", ["convert", "-O", "qcow2", at(`${name}.raw`), at(`${name}.qcow2`)]);
}
execFileSync("cp", [at("small.qcow2"), at("sparse.qcow2")]);
execFileSync("qemu-img", ["resize", "-q", "-f", "qcow2", at("sparse.qcow2"), "1T"]);

print(`input: ${mixedDiskText(mib)}; a tenth of it; and that tenth in a disk of 1 TiB`);
print("peak memory of a process of its own, Node.js included");
printFigure("nothing", `${peakMegabytes([]).toFixed(0)} MB`);
for (const to of ["qcow2", "raw", "zlib", "zstd"]) {
  const [small = 0, sparse = 0, large = 0] = ["small", "sparse", "large"].map((name) => {
    const megabytes = peakMegabytes([at(`${name}.qcow2`), at("out"), to]);
    rmSync(at("out"), { force: true });
    return megabytes;
  });
  const sizes = [small, sparse, large].map((megabytes) => megabytes.toFixed(0));
  printFigure(`to ${to}: a tenth, in 1 TiB, all`, `${sizes.join(", ")} MB`, {
    text: `flat: within ${slackMegabytes} MB`,
    isMet: Math.max(sparse, large) <= small + slackMegabytes,
  });
}

function peakMegabytes(args: readonly string[]): number {
  const all = [...process.execArgv, script, ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return Number(stdout) / 1024;
}

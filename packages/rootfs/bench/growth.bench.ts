// How time and memory of a build grow with the number of files and with the bytes. Skips what is larger than
// `--max-files 1000000 --max-mib 4096`.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makePackages, runBuild } from "./run-build.ts";
import { writeSampleImage } from "./sample-image.ts";

const { values } = parseArgs({
  options: { "max-files": { type: "string" }, "max-mib": { type: "string" } },
  strict: false,
});
const maxFiles = Number(values["max-files"] ?? 1_000_000);
const maxMegabytes = Number(values["max-mib"] ?? 4096);

const sizes = [
  ...[1000, 10_000, 50_000, 100_000, 1_000_000].map((files) => ({ files, megabytes: 256 })),
  ...[10, 100, 1000, 4096].map((megabytes) => ({ files: 1000, megabytes })),
].filter(({ files, megabytes }) => files <= maxFiles && megabytes <= maxMegabytes);

makePackages();
for (const { files, megabytes } of sizes) {
  const folder = mkdtempSync(join(tmpdir(), "box-bench-"));
  try {
    const image = join(folder, "image");
    await writeSampleImage(image, { files, bytes: megabytes * 2 ** 20, layers: 5 });
    const built = runBuild(image, join(folder, "disk.ext4"));
    const { cpuSeconds, wallSeconds, peakMegabytes, nodeCount } = built;
    // Memory must not depend on the bytes.
    const limit = files <= 50_000 ? 150 : 600;
    const verdict = `<= ${limit} MB: ${peakMegabytes <= limit ? "met" : "MISSED"}`;
    process.stdout.write(
      `${String(files).padStart(8)} files, ${String(megabytes).padStart(4)} MiB: CPU ${cpuSeconds.toFixed(2)} s, wall ${wallSeconds.toFixed(2)} s, peak ${peakMegabytes.toFixed(0)} MB (${verdict}), ${nodeCount} nodes\n`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

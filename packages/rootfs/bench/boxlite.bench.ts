// From a registry on this machine to a box's overlay, beside the npm package of BoxLite up to the same point, in new homes.
// `--boxlite FOLDER --mib 317 --files 9600 --rounds 5`; FOLDER is where `npm install @boxlite-ai/boxlite` was run.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { serveLayout } from "./layout-registry.ts";
import { cpuSecondsOf, type Figures, makePackages, median } from "./run-build.ts";
import { writeSampleImage } from "./sample-image.ts";

const { values } = parseArgs({
  options: {
    boxlite: { type: "string" },
    mib: { type: "string" },
    files: { type: "string" },
    rounds: { type: "string" },
  },
  strict: false,
});
const { boxlite } = values;
const megabytes = Number(values["mib"] ?? 317);
const files = Number(values["files"] ?? 9600);
const rounds = Number(values["rounds"] ?? 5);
const job = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

if (typeof boxlite === "string") await compare(boxlite);
else process.stdout.write("skipped: --boxlite FOLDER names no folder with @boxlite-ai/boxlite\n");

async function compare(rival: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "box-bench-"));
  try {
    makePackages();
    const image = join(folder, "image");
    await writeSampleImage(image, { files, bytes: megabytes * 2 ** 20, layers: 4 });
    await using registry = await serveLayout(image);
    const { host } = registry;
    const reference = `${host}/team/app:latest`;
    process.stdout.write(`input: ${megabytes} MiB in ${files} files, in 4 gzip layers, by http\n`);
    const ours: Figures[] = [];
    const theirs: Figures[] = [];
    for (let round = 0; round < rounds; round++) {
      for (const [figures, words] of [
        [ours, [job("overlay-job.mjs"), join(folder, "home"), reference, host]],
        [theirs, [job("boxlite-job.mjs"), rival, join(folder, "home"), reference, host]],
      ] as const) {
        rmSync(join(folder, "home"), { recursive: true, force: true });
        figures.push(await run(words));
      }
    }
    print("box", ours);
    print("BoxLite", theirs);
    for (const [what, of] of [
      ["wall", ({ wallSeconds }: Figures) => wallSeconds],
      ["CPU", ({ cpuSeconds }: Figures) => cpuSeconds],
    ] as const) {
      const share = median(theirs.map(of)) / median(ours.map(of));
      const verdict = share >= 4 ? "met" : "MISSED";
      process.stdout.write(`${what}: ours takes 1/${share.toFixed(1)} (<= 1/4: ${verdict})\n`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function print(name: string, figures: readonly Figures[]): void {
  const wall = figures.map(({ wallSeconds }) => wallSeconds);
  const cpu = figures.map(({ cpuSeconds }) => cpuSeconds);
  const text = [median(wall), Math.min(...wall), median(cpu)].map((value) => value.toFixed(2));
  process.stdout.write(
    `${name.padEnd(8)} wall ${text[0]} s (best ${text[1]}), CPU ${text[2]} s, to the overlay\n`,
  );
}

/** Runs a job to the overlay. The processor time counts the processes that it started and waited for. */
async function run(words: readonly string[]): Promise<Figures> {
  const quoted = [process.execPath, ...words].map((word) => `'${word}'`).join(" ");
  const child = spawn("bash", ["-euc", `${quoted}\ntimes`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  child.stdout.on("data", (chunk: Buffer) => {
    printed += chunk.toString();
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  const overlayMs = Number(/^overlay ([\d.]+)$/m.exec(printed)?.[1]);
  if (code !== 0 || Number.isNaN(overlayMs)) throw new Error(`a job failed:\n${printed}`);
  return { wallSeconds: overlayMs / 1000, cpuSeconds: cpuSecondsOf(printed) };
}

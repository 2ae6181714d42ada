// Converting beside qemu-img, on the same files in the same run. Usage:
//   node --conditions=@box/source bench/convert.bench.ts [MiB] [rounds]
import { execFileSync, spawnSync } from "node:child_process";
import { randomFillSync } from "node:crypto";
import {
  closeSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { type ConvertImageOptions, convertImage } from "@box/qcow2";
import { blockingNodeCodec, nodeCodec, openImageFile } from "@box/qcow2/node";

const megabytes = Number(process.argv[2] ?? 1024);
const rounds = Number(process.argv[3] ?? 3);
const folder = mkdtempSync(join(tmpdir(), "box-bench-"));
const at = (name: string): string => join(folder, name);

/** 40 % text, 30 % random bytes, 30 % zeros (holes), in pieces of 1 MiB. */
function makeInput(path: string): void {
  const words = "the image holds a cluster of bytes which nobody wrote but everybody reads ".split(
    " ",
  );
  const file = openSync(path, "w");
  let seed = 1;
  for (let index = 0; index < megabytes; index++) {
    const kind = (index * 7) % 10;
    if (kind >= 7) continue;
    const piece = Buffer.alloc(2 ** 20);
    if (kind >= 4) randomFillSync(piece);
    else {
      for (let done = 0; done < piece.length; ) {
        seed = (seed * 1103515245 + 12345) % 2 ** 31;
        const word = `${words[seed % words.length]}${seed % 97 === 0 ? seed : ""} `;
        done += piece.write(word, done);
      }
    }
    writeSync(file, piece, 0, piece.length, index * 2 ** 20);
  }
  closeSync(file);
  truncateSync(path, megabytes * 2 ** 20);
}

interface Job {
  readonly name: string;
  readonly from: string;
  readonly qemu: readonly string[];
  readonly options: ConvertImageOptions;
}

const jobs: readonly Job[] = [
  { name: "raw -> qcow2", from: "in.raw", qemu: ["-O", "qcow2"], options: { format: "qcow2" } },
  { name: "qcow2 -> raw", from: "in.qcow2", qemu: ["-O", "raw"], options: { format: "raw" } },
  {
    name: "zlib qcow2 -> raw",
    from: "zlib.qcow2",
    qemu: ["-O", "raw"],
    options: { format: "raw" },
  },
  {
    name: "zstd qcow2 -> raw",
    from: "zstd.qcow2",
    qemu: ["-O", "raw"],
    options: { format: "raw" },
  },
  {
    name: "raw -> zstd qcow2",
    from: "in.raw",
    qemu: ["-O", "qcow2", "-c", "-o", "compression_type=zstd"],
    options: { format: "qcow2", compressed: "zstd", codec: nodeCodec },
  },
  {
    name: "raw -> zlib qcow2",
    from: "in.raw",
    qemu: ["-O", "qcow2", "-c"],
    options: { format: "qcow2", compressed: "zlib", codec: nodeCodec },
  },
];

async function runOurs({ from, options }: Job): Promise<void> {
  await using target = await openFile(at("ours"), { mode: "create" });
  await using source = from.endsWith("raw")
    ? await openFile(at(from))
    : await openImageFile(at(from), { codec: blockingNodeCodec });
  await convertImage(source, target, options);
}

function runQemu({ from, qemu }: Job): void {
  const format = from.endsWith("raw") ? "raw" : "qcow2";
  execFileSync("qemu-img", ["convert", "-f", format, ...qemu, at(from), at("theirs")]);
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;

makeInput(at("in.raw"));
execFileSync("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", at("in.raw"), at("in.qcow2")]);
for (const type of ["zlib", "zstd"] as const) {
  await using target = await openFile(at(`${type}.qcow2`), { mode: "create" });
  await using source = await openFile(at("in.raw"));
  await convertImage(source, target, { format: "qcow2", compressed: type, codec: nodeCodec });
}
const version = spawnSync("qemu-img", ["--version"], { encoding: "utf8" }).stdout.split("\n")[0];
process.stdout.write(
  `${megabytes} MiB: 40 % text, 30 % random, 30 % holes; ${cpus().length} cores; node ${process.version}; ${version}\n`,
);
for (const job of jobs.filter(({ name }) => name.includes(process.argv[4] ?? ""))) {
  const seconds = { ours: [] as number[], theirs: [] as number[] };
  let sizes = "";
  for (let round = 0; round < rounds; round++) {
    for (const side of ["ours", "theirs"] as const) {
      rmSync(at(side), { force: true });
      const start = performance.now();
      if (side === "ours") await runOurs(job);
      else runQemu(job);
      seconds[side].push((performance.now() - start) / 1000);
    }
    if (round === 0) {
      const format = job.options.format;
      execFileSync("qemu-img", ["compare", "-f", format, "-F", format, at("ours"), at("theirs")]);
      if (format === "qcow2") execFileSync("qemu-img", ["check", "-q", "-f", "qcow2", at("ours")]);
      const mib = (name: string): string =>
        `${Math.round((statSync(at(name)).blocks * 512) / 2 ** 20)} MiB`;
      sizes = `${mib("ours")} / ${mib("theirs")}`;
    }
  }
  const [ours, theirs] = [median(seconds.ours), median(seconds.theirs)];
  process.stdout.write(
    `${job.name.padEnd(20)} ours ${ours.toFixed(2)} s, qemu-img ${theirs.toFixed(2)} s, ratio ${(ours / theirs).toFixed(2)}, minima ${Math.min(...seconds.ours).toFixed(2)} / ${Math.min(...seconds.theirs).toFixed(2)} s, on disk ${sizes}\n`,
  );
}
rmSync(folder, { recursive: true, force: true });

import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** What a run took. */
export interface Figures {
  /** Seconds of all processors, in user and system mode. */
  readonly cpuSeconds: number;
  /** Seconds by the clock. */
  readonly wallSeconds: number;
}

/** What a build took and made. */
export interface BuildFigures extends Figures {
  /** Peak memory of the process, Node.js included, in MiB. */
  readonly peakMegabytes: number;
  /** Files, directories and other nodes of the file system. */
  readonly nodeCount: number;
  /** What the file takes on the disk. */
  readonly writtenBytes: number;
}

const job = fileURLToPath(new URL("build-job.mjs", import.meta.url));

/** Brings the packages' built code, which {@link runBuild} runs, up to date. */
export function makePackages(): void {
  const filter = "--filter=@box/rootfs...";
  execFileSync("pnpm", ["exec", "turbo", "run", "build", filter, "--output-logs=errors-only"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}

/** Builds the image of a layout in a process of its own; the output file is made again. */
export function runBuild(layout: string, output: string): BuildFigures {
  rmSync(output, { force: true });
  return JSON.parse(
    execFileSync(process.execPath, [job, layout, output], { encoding: "utf8" }),
  ) as BuildFigures;
}

/** What the shell's `times` says of what the shell ran, in its last line. */
export function cpuSecondsOf(printed: string): number {
  const last = printed.trim().split("\n").at(-1) ?? "";
  return [...last.matchAll(/(\d+)m([\d.]+)s/g)]
    .map(([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds))
    .reduce((sum, seconds) => sum + seconds, 0);
}

/** The one in the middle. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

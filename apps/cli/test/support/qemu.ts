import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type BoxRun, runBoxHere } from "./run-box.ts";

/**
 * Runs qemu-img on files that the test made itself.
 *
 * It times itself to choose how often a LUKS key is derived, and gives up on a busy machine: then it is run again.
 */
export function qemuImg(folder: string, ...argv: readonly string[]): string {
  for (let tries = 1; ; tries++) {
    try {
      return execFileSync("qemu-img", argv, { cwd: folder, encoding: "utf8", stdio: "pipe" });
    } catch (error) {
      if (tries === 20 || !String(error).includes("accurate CPU usage")) throw error;
    }
  }
}

/** The exit code of qemu-img. */
export function qemuImgStatus(folder: string, ...argv: readonly string[]): number | null {
  return spawnSync("qemu-img", argv, { cwd: folder }).status;
}

/** What qemu-img prints, whatever it ends with. */
export function qemuImgOutput(folder: string, ...argv: readonly string[]): string {
  return spawnSync("qemu-img", argv, { cwd: folder, encoding: "utf8" }).stdout;
}

/** Runs commands of qemu-io on a qcow2 image, or on a raw one when its name ends in `.raw`. */
export function qemuIo(folder: string, file: string, ...commands: readonly string[]): void {
  const format = file.endsWith(".raw") ? "raw" : "qcow2";
  const words = commands.flatMap((command) => ["-c", command]);
  execFileSync("qemu-io", ["-f", format, ...words, file], { cwd: folder, stdio: "pipe" });
}

/** A folder of one test, and box run in it. */
export interface DiskFolder {
  readonly path: string;
  box(...argv: readonly string[]): Promise<BoxRun>;
}

/** Makes a folder that is gone after the test. */
export async function diskFolder(): Promise<DiskFolder> {
  const path = await realpath(await mkdtemp(join(tmpdir(), "box-disks-")));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  const { PATH = "" } = process.env;
  return { path, box: (...argv) => runBoxHere(argv, { cwd: path, env: { PATH } }) };
}

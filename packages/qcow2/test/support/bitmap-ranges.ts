import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openImageFile } from "@box/qcow2/node";
import { qemuImg } from "./qemu.ts";

/** A bitmap as `qemu-img info` lists it. */
export interface QemuBitmap {
  readonly name: string;
  readonly granularity: number;
  readonly flags: readonly string[];
}

/** The bitmaps of i.qcow2 as QEMU lists them. */
export function listOf(folder: string): QemuBitmap[] {
  const info = JSON.parse(qemuImg(folder, "info", "--output=json", "i.qcow2"));
  return info["format-specific"].data.bitmaps ?? [];
}

/** What a bitmap of i.qcow2 marks, read here. */
export async function rangesOf(folder: string, name: string): Promise<[number, number][]> {
  await using image = await openImageFile(join(folder, "i.qcow2"));
  const found: [number, number][] = [];
  for await (const { start, length } of image.dirtyRanges(name)) found.push([start, length]);
  return found;
}

/** What QEMU says that a bitmap marks; over its block device server such ranges show as holding no data. */
export function qemuRangesOf(folder: string, name: string): [number, number][] {
  const place = `server.type=unix,server.path=${join(folder, "s")}`;
  const image = `driver=nbd,${place},export=i,x-dirty-bitmap=qemu:dirty-bitmap:${name}`;
  const served = ["-r", "-f", "qcow2", "-B", name, "-x", "i", "-k", join(folder, "s")];
  const forked = [...served, "--fork", `--pid-file=${join(folder, "p")}`, "i.qcow2"];
  execFileSync("qemu-nbd", forked, { cwd: folder, stdio: "ignore" });
  const pid = readFileSync(join(folder, "p"), "utf8").trim();
  const map: { start: number; length: number; data: boolean }[] = JSON.parse(
    qemuImg(folder, "map", "--output=json", "--image-opts", image),
  );
  // The server ends after its first client, and holds the image until then.
  while (isRunning(pid)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  const ranges: [number, number][] = [];
  for (const { start, length, data } of map) {
    const last = ranges.at(-1);
    if (data) continue;
    if (last && last[0] + last[1] === start) last[1] += length;
    else ranges.push([start, length]);
  }
  return ranges;
}

/** Whether a process still holds what it had; one that has ended and was not waited for holds nothing. */
function isRunning(pid: string): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

// What takes a millisecond or less: making an overlay, inspecting, and refusing a file that claims too much.
import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createFileDurably, openFile } from "@box/io/node";
import { createOverlay, inspectImage } from "@box/qcow2";
import { benchFolder, benchOptions, qemuVersion } from "./support/input.ts";
import { inProcess, interleaved, type Sample, wholeProcess } from "./support/measure.ts";
import { printFigure, printHead, printPair } from "./support/report.ts";

const { rounds, repeats } = benchOptions({ rounds: 7, repeats: 200 });
using folder = benchFolder();
const at = (name: string): string => folder.at(name);
const overlay = {
  virtualSizeBytes: 10 * 2 ** 30,
  backingName: "base.qcow2",
  backingFormat: "qcow2",
} as const;
execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", at("base.qcow2"), "10G"]);
execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", at("inspected"), "10G"]);

printHead("an overlay of 10 GiB, an empty image of 10 GiB", qemuVersion());
let made = 0;
for (const [name, how] of [
  ["create overlay, blocking", "blocking"],
  ["create overlay, pool", "pool"],
  ["create overlay, 2 syncs", "durable"],
] as const) {
  const pair = await interleaved(rounds, {
    ours: () => perRepeat(() => makeOverlay(how)),
    theirs: () => {
      const names = ["-b", at("base.qcow2"), "-F", "qcow2", at(`theirs-${made++}`)];
      return wholeProcess("qemu-img", ["create", "-q", "-f", "qcow2", ...names]);
    },
  });
  const target = { text: "< 1 ms", isMet: pair.ours.wall < 0.001 };
  printPair(name, pair, how === "durable" ? undefined : target);
}
await using file = await openFile(at("inspected"), { blocking: true });
const inspect = await interleaved(rounds, {
  ours: () => perRepeat(() => inspectImage(file)),
  theirs: () => wholeProcess("qemu-img", ["info", "-f", "qcow2", at("inspected")]),
});
printPair("inspect", inspect, { text: "< 0.2 ms", isMet: inspect.ours.wall < 0.0002 });

const script = fileURLToPath(new URL("./support/refuse-claim.ts", import.meta.url));
const { stdout } = spawnSync(process.execPath, [...process.execArgv, script], { encoding: "utf8" });
const { milliseconds, megabytes, code } = JSON.parse(stdout) as Refusal;
printFigure(
  "1 KiB claims a 4 GiB table",
  `${milliseconds.toFixed(1)} ms, ${megabytes.toFixed(1)} MB`,
  {
    text: "< 10 ms, < 50 MB",
    isMet: milliseconds < 10 && megabytes < 50,
  },
  `${code}, in a fresh process`,
);

interface Refusal {
  readonly milliseconds: number;
  readonly megabytes: number;
  readonly code: string;
}

async function makeOverlay(how: "blocking" | "pool" | "durable"): Promise<void> {
  const path = at(`ours-${made++}`);
  if (how === "durable") {
    await createFileDurably(path, (target) => createOverlay(target, overlay));
    return;
  }
  await using target = await openFile(path, { mode: "create", blocking: how === "blocking" });
  await createOverlay(target, overlay);
}

async function perRepeat(work: () => Promise<unknown>): Promise<Sample> {
  const { wall, cpu } = await inProcess(async () => {
    for (let index = 0; index < repeats; index++) await work();
  });
  return { wall: wall / repeats, cpu: cpu / repeats };
}

// Random reads of 4 KiB and inspect, beside qemu-img bench on the same image in the same run. Usage:
//   node --conditions=@box/source bench/read.bench.ts
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { inspectImage } from "@box/qcow2";
import { openImageFile } from "@box/qcow2/node";

const folder = mkdtempSync(join(tmpdir(), "box-bench-"));
const path = join(folder, "i.qcow2");
const size = 2 ** 28;
const count = 20_000;
execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", path, String(size)]);
execFileSync("qemu-io", ["-f", "qcow2", "-c", `write -P 7 0 ${size}`, path], { stdio: "ignore" });

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const seconds = async (run: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
};

for (let round = 0; round < 3; round++) {
  for (const blocking of [true, false]) {
    await using image = await openImageFile(path, { blocking });
    await image.read(0, 4096);
    const into = new Uint8Array(4096);
    const took = await seconds(async () => {
      let at = 0;
      for (let index = 0; index < count; index++) {
        at = (at + 4096 * 7919) % size;
        await image.read(at, 4096, into);
      }
    });
    say(`ours, blocking ${blocking}: ${Math.round(count / took)} reads of 4 KiB per second`);
  }
  const args = [
    "bench",
    "-f",
    "qcow2",
    "-c",
    String(count),
    "-d",
    "1",
    "-s",
    "4096",
    "-S",
    String(4096 * 7919),
  ];
  const took = await seconds(async () => execFileSync("qemu-img", [...args, path]));
  say(`qemu-img bench, depth 1, with its start: ${Math.round(count / took)} per second`);
  await using file = await openFile(path, { blocking: true });
  const inspected = await seconds(async () => {
    for (let index = 0; index < 1000; index++) await inspectImage(file);
  });
  say(`inspect: ${(inspected).toFixed(3)} ms each`);
}
rmSync(folder, { recursive: true, force: true });

// How long and how much memory it takes to refuse a file of 1 KiB that claims a table of 4 GiB. Usage:
//   node --conditions=@box/source --expose-gc bench/refuse.bench.ts
import { MemoryFile } from "@box/io";
import { checkImage, checkStructure, inspectImage, openImage, Qcow2Error } from "@box/qcow2";

const bytes = new Uint8Array(1024);
const view = new DataView(bytes.buffer);
view.setUint32(0, 0x514649fb);
view.setUint32(4, 3);
view.setUint32(20, 9);
view.setBigUint64(24, 2n ** 20n);
view.setUint32(36, 2 ** 29); // 4 GiB of L1 entries
view.setBigUint64(40, 512n);
view.setBigUint64(48, 512n);
view.setUint32(56, 1);
view.setUint32(96, 4);
view.setUint32(100, 104);

const runs = 200;
const looks = { inspectImage, openImage, checkStructure, checkImage };

for (const [name, look] of Object.entries(looks)) {
  const times: number[] = [];
  let code = "";
  globalThis.gc?.();
  const before = process.memoryUsage();
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    try {
      await look(new MemoryFile(bytes));
    } catch (error) {
      if (!(error instanceof Qcow2Error)) throw error;
      code = error.code;
    }
    times.push(performance.now() - start);
  }
  const after = process.memoryUsage();
  const grown = after.rss - before.rss + after.arrayBuffers - before.arrayBuffers;
  const sorted = times.toSorted((a, b) => a - b);
  process.stdout.write(
    `${name}: ${code}, first ${times[0]?.toFixed(2)} ms, median ${sorted[runs / 2]?.toFixed(3)} ms, ` +
      `${runs} runs grew the process by ${(grown / 2 ** 20).toFixed(1)} MiB\n`,
  );
}

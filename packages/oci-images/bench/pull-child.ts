// One pull, measured from inside its process; used by pull.bench.ts. Usage:
//   node --conditions=@box/source bench/pull-child.ts REFERENCE DIRECTORY
import { monitorEventLoopDelay } from "node:perf_hooks";
import { ImageStore } from "@box/oci-images";

const [reference = "", directory = ""] = process.argv.slice(2);
const delay = monitorEventLoopDelay({ resolution: 5 });
const loadedBytes = process.resourceUsage().maxRSS * 1024;
delay.enable();
const start = performance.now();
const store = await ImageStore.open(directory);
const image = await store.pull(reference);
const wallMs = performance.now() - start;
delay.disable();
const warm = performance.now();
await store.pull(`${reference.replace(/:[^:/]+$/, "")}@${image.digest}`).catch(() => undefined);
const usage = process.resourceUsage();
const result = {
  wallMs,
  cpuMs: (usage.userCPUTime + usage.systemCPUTime) / 1000,
  loadedBytes,
  peakBytes: usage.maxRSS * 1024,
  delayP99Ms: delay.percentile(99) / 1e6,
  warmMs: performance.now() - warm,
  layers: image.layers.length,
};
process.stdout.write(`${JSON.stringify(result)}\n`);

// One build in a process of its own, so that its CPU time and its memory can be told from those of others. It runs what
// was built, without TypeScript: stripping types takes memory.
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { createFileDurably } from "@box/io/node";
import { ImageStore } from "@box/oci-images";
import { buildRootfs, layersOfImage } from "@box/rootfs";

const [layout = "", output = ""] = process.argv.slice(2);
const store = await ImageStore.open(layout);
const [entry] = await store.list();
const image = await store.get(entry?.descriptor.digest ?? "");
const before = process.resourceUsage();
const start = performance.now();
const built = await createFileDurably(
  output,
  (file) =>
    buildRootfs({ layers: layersOfImage(store, image) }, file, {
      scratch: { directory: dirname(output) },
    }),
  { direct: true, blocking: true },
);
const wallSeconds = (performance.now() - start) / 1000;
const after = process.resourceUsage();
process.stdout.write(
  JSON.stringify({
    cpuSeconds:
      (after.userCPUTime + after.systemCPUTime - before.userCPUTime - before.systemCPUTime) / 1e6,
    wallSeconds,
    peakMegabytes: after.maxRSS / 1024,
    sizeBytes: built.sizeBytes,
    nodeCount: built.nodeCount,
    writtenBytes: statSync(output).blocks * 512,
  }),
);

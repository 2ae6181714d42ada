import { readdirSync } from "node:fs";
import { Runtime } from "@box/runtime";
import { FakeImages } from "../fake-images.ts";

/** What a child process tells after a cycle, one line of JSON each. */
export interface CycleLine {
  /** Cycles that it has done. */
  readonly done: number;
  /** Files that it has open. */
  readonly handles: number;
  /** Bytes of its heap that are in use, after a collection. */
  readonly heapBytes: number;
  /** Bytes of its memory that are in RAM. */
  readonly rssBytes: number;
}

/** How often a child measures itself. */
const measuredEvery = 50;

const [home = "", cycles = "0"] = process.argv.slice(2);
await using runtime = await Runtime.open({ home, images: new FakeImages() });
for (let done = 1; done <= Number(cycles); done++) {
  const { box } = await runtime.boxes.create({ image: "app" });
  await runtime.boxes.prepare(box.name);
  await runtime.boxes.remove(box.name);
  process.stdout.write(
    `${JSON.stringify(done % measuredEvery === 0 ? measure(done) : { done })}\n`,
  );
}

function measure(done: number): CycleLine {
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  // One of them is the folder that is being read.
  const handles = readdirSync("/proc/self/fd").length - 1;
  return { done, handles, heapBytes: heapUsed, rssBytes: rss };
}

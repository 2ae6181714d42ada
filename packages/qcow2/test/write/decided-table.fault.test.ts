import { MemoryFile } from "@box/io";
import { checkImage, createImage, openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { failing, moments } from "../support/failing.ts";

const clusterBytes = 512;
/** Bytes of the disk that one cluster of its L1 table maps. */
const l1ClusterBytes = (clusterBytes / 8) ** 2 * clusterBytes;
const [small, large] = [clusterBytes * 10, 3 * l1ClusterBytes];

async function diskOf(sizeBytes: number, hasBitmap: boolean): Promise<Uint8Array> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: sizeBytes, clusterSizeBytes: clusterBytes });
  const image = await openImage(file, { mode: "rw" });
  if (hasBitmap) await image.addBitmap("bits");
  for (const at of [0, sizeBytes - clusterBytes]) {
    await image.write(at, new Uint8Array(clusterBytes).fill(1));
  }
  await image.close();
  return file.toBytes();
}

/** Tries things until one fails, and says whether none did. */
async function succeeds(...steps: (() => Promise<unknown>)[]): Promise<boolean> {
  try {
    for (const step of steps) await step();
    return true;
  } catch {
    return false;
  }
}

describe.each(moments)("when a write fails %s it has an effect", (when) => {
  it.each([
    { from: small, to: large, hasBitmap: false },
    { from: small, to: large, hasBitmap: true },
    { from: large, to: small, hasBitmap: false },
    { from: large, to: small, hasBitmap: true },
  ])("a resize from $from to $to, bitmap: $hasBitmap", async ({ from, to, hasBitmap }) => {
    const start = await diskOf(from, hasBitmap);
    let kept = 0;
    for (let at = 1; at < 1000; at++) {
      const file = new MemoryFile(start);
      const storage = failing(file, at, { of: ["write"], when });
      const image = await openImage(storage.file, { mode: "rw" });
      const isResized = await succeeds(() => image.resize(to, { shrink: true }));
      // What is told to be stored afterwards is there, whatever has failed before.
      const last = small - clusterBytes;
      const isStored = await succeeds(
        () => image.resize(large),
        () => image.write(last, new Uint8Array(clusterBytes).fill(7)),
        () => image.write(large - clusterBytes, new Uint8Array(clusterBytes).fill(8)),
        () => image.flush(),
        () => image.close(),
      );
      const { findings } = await checkImage(file);
      expect(findings.filter(({ severity }) => severity === "error")).toEqual([]);
      await using reopened = await openImage(file);
      expect((await reopened.read(0, 1))[0]).toBe(1);
      if (isStored) {
        kept++;
        expect((await reopened.read(last, 1))[0]).toBe(7);
        expect((await reopened.read(large - clusterBytes, 1))[0]).toBe(8);
        // A failure that let the image go on leaves nothing behind.
        expect(findings).toEqual([]);
      }
      if (isResized && storage.calls < at) break;
    }
    expect(kept).toBeGreaterThan(3);
  });
});

import { MemoryFile } from "@box/io";
import { checkImage, createImage, openImage, type Qcow2Image } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { failing } from "../support/failing.ts";

async function markedImage(): Promise<Uint8Array> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: 2 ** 20, clusterSizeBytes: 4096 });
  const image = await openImage(file, { mode: "rw" });
  await image.addBitmap("one", { granularityBytes: 512 });
  await image.addBitmap("other", { granularityBytes: 512, isEnabled: false });
  await image.write(0, new Uint8Array(4096).fill(1));
  await image.close();
  return file.toBytes();
}

/** Which bitmaps there are, what they mark, and whether they can be relied on. */
async function stateOf(image: Qcow2Image): Promise<string[]> {
  const states: string[] = [];
  for (const { name, isInUse, isAuto } of await image.bitmaps()) {
    const ranges: string[] = [];
    if (!isInUse) {
      for await (const { start, length } of image.dirtyRanges(name)) {
        ranges.push(`${start}+${length}`);
      }
    }
    states.push(`${name} ${isInUse ? "in use" : ranges.join()} ${isAuto}`);
  }
  return states;
}

const changes: Readonly<Record<string, (image: Qcow2Image) => Promise<unknown>>> = {
  addBitmap: (image) => image.addBitmap("new"),
  removeBitmap: (image) => image.removeBitmap("one"),
  clearBitmap: (image) => image.clearBitmap("one"),
  enableBitmap: (image) => image.enableBitmap("other"),
  disableBitmap: (image) => image.disableBitmap("one"),
  mergeBitmap: (image) => image.mergeBitmap("other", "one"),
};

describe.each(Object.keys(changes))("%s", (name) => {
  it("has been made when it resolves and has not when it rejects, whichever write fails", async () => {
    const start = await markedImage();
    await using plain = await openImage(new MemoryFile(start), { mode: "rw" });
    await plain.write(8192, Uint8Array.of(1));
    const before = await stateOf(plain);
    await changes[name]?.(plain);
    const after = await stateOf(plain);
    expect(after).not.toEqual(before);
    let rejected = 0;
    for (let at = 1; at < 200; at++) {
      const file = new MemoryFile(start);
      const storage = failing(file, at, { of: ["write"] });
      storage.isOn = false;
      const image = await openImage(storage.file, { mode: "rw" });
      await image.write(8192, Uint8Array.of(1));
      await image.flush();
      storage.isOn = true;
      const isMade = await changes[name]?.(image).then(
        () => true,
        () => false,
      );
      storage.isOn = false;
      if (!isMade) rejected++;
      const isClosed = await image.close().then(
        () => true,
        () => false,
      );
      await using reopened = await openImage(file);
      const found = await stateOf(reopened);
      const isInPlace = ["enableBitmap", "disableBitmap", "mergeBitmap"].includes(name);
      if (isInPlace) expect(found.join()).not.toContain("in use");
      // A write that decides, and failed, is the last one: bitmaps that were marked in use stay so.
      if (isClosed && !found.join().includes("in use")) {
        const states = isMade ? [after] : name === "mergeBitmap" ? [before, after] : [before];
        expect(states).toContainEqual(found);
      }
      const { findings } = await checkImage(file);
      expect(findings.filter(({ severity }) => severity === "error")).toEqual([]);
      if (storage.calls < at) break;
    }
    expect(rejected).toBeGreaterThan(1);
  });
});

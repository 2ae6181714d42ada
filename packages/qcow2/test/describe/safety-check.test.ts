import { MemoryFile } from "@box/io";
import { inspectImage, safetyCheck } from "@box/qcow2";
import { expect, it } from "vitest";
import {
  changedImage,
  validImage,
  withBackingName,
  withExtensions,
  withU32,
  withU64,
} from "../../fixtures/build.ts";
import { bitmapImage, dataFileImage, snapshotImage } from "../../fixtures/features.ts";
import { backedBy } from "../../fixtures/streams.ts";

const text = new TextEncoder();

function withDataFileName(name: Uint8Array): Uint8Array {
  return withExtensions([[0x44415441, name]], (view) => view.setBigUint64(72, 4n));
}

const cases: Record<string, { bytes: Uint8Array; codes: string[] }> = {
  "an image that stands alone": { bytes: withExtensions([]), codes: [] },
  "an overlay": { bytes: validImage(), codes: ["backing-file"] },
  "a protocol as backing name": {
    bytes: withBackingName(text.encode("nbd:localhost:10809")),
    codes: ["backing-file", "backing-name-protocol"],
  },
  "a json: backing name with a line feed": {
    bytes: withBackingName(text.encode("json:{\n}")),
    codes: ["backing-file", "backing-name-protocol", "backing-name-control-characters"],
  },
  "a backing name that is not UTF-8": {
    bytes: withBackingName(new Uint8Array([0xff])),
    codes: ["backing-file", "backing-name-not-utf-8"],
  },
  "a backing name inside the header": {
    bytes: changedImage((view) => {
      view.setBigUint64(8, 1n);
      view.setUint32(16, 3);
    }),
    codes: [
      "backing-file",
      "backing-name-not-utf-8",
      "backing-name-in-header",
      "backing-format-missing",
    ],
  },
  "no backing format": { bytes: backedBy(""), codes: ["backing-file", "backing-format-missing"] },
  "an external data file": { bytes: dataFileImage(), codes: ["data-file"] },
  "an external data file without a name": {
    bytes: withExtensions([], (view) => view.setBigUint64(72, 4n)),
    codes: ["data-file", "data-file-name-missing"],
  },
  "a protocol as data file name": {
    bytes: withDataFileName(text.encode("nbd:localhost:10809")),
    codes: ["data-file", "data-file-name-protocol"],
  },
  "a data file name with a line feed": {
    bytes: withDataFileName(text.encode("a\n")),
    codes: ["data-file", "data-file-name-control-characters"],
  },
  "a data file name that is not UTF-8": {
    bytes: withDataFileName(new Uint8Array([0xff])),
    codes: ["data-file", "data-file-name-not-utf-8"],
  },
  "dirty, corrupt and unknown bits": {
    bytes: withExtensions([], (view) => view.setBigUint64(72, (1n << 63n) | 3n)),
    codes: ["unknown-incompatible-feature", "dirty", "marked-corrupt"],
  },
  encryption: { bytes: withExtensions([], (view) => view.setUint32(32, 1)), codes: ["encrypted"] },
  snapshots: { bytes: snapshotImage(), codes: ["backing-file", "internal-snapshots"] },
  "stale bitmaps": {
    bytes: bitmapImage((view) => view.setBigUint64(88, 0n)),
    codes: ["stale-bitmaps"],
  },
  "an unusual header length": {
    bytes: withExtensions([], (view) => view.setUint32(100, 105)),
    codes: ["unusual-header-length"],
  },
};

it.for(Object.keys(cases))("%s is reported by safetyCheck", async (name) => {
  const { bytes, codes } = cases[name] ?? { bytes: new Uint8Array(0), codes: [] };
  const info = await inspectImage(new MemoryFile(bytes));
  expect(safetyCheck(info).map(({ code }) => code)).toEqual(codes);
});

it("a disk over the caller's limit is reported by safetyCheck", async () => {
  const info = await inspectImage(new MemoryFile(withExtensions([])));
  expect(safetyCheck(info, { maxVirtualSizeBytes: 2 ** 30 })).toEqual([]);
  expect(safetyCheck(info, { maxVirtualSizeBytes: 2 ** 30 - 1 })).toHaveLength(1);
});

it("the bits of an overlay that are set do not change what else is reported", async () => {
  const info = await inspectImage(new MemoryFile(withU64(72, 1n)));
  expect(safetyCheck(info).map(({ code }) => code)).toEqual(["backing-file", "dirty"]);
  const aes = await inspectImage(new MemoryFile(withU32(32, 1)));
  expect(safetyCheck(aes).map(({ code }) => code)).toEqual(["backing-file", "encrypted"]);
});

it("a feature that is not known has the name that the image gives it", async () => {
  const entry = new Uint8Array(48);
  entry.set([0, 63]);
  entry.set(text.encode("time travel"), 2);
  const names: [number, Uint8Array] = [0x6803f857, entry];
  const setBit = (view: DataView) => view.setBigUint64(72, 1n << 63n);
  const messageOf = async (bytes: Uint8Array) =>
    safetyCheck(await inspectImage(new MemoryFile(bytes))).map(({ message }) => message);
  expect(await messageOf(withExtensions([names], setBit))).toEqual([
    "it needs the incompatible feature 63 (time travel), which is not known",
  ]);
  expect(await messageOf(withExtensions([], setBit))).toEqual([
    "it needs the incompatible feature 63, which is not known",
  ]);
});

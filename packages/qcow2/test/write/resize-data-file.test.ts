import { chmodSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { MemoryFile, type RandomAccess } from "@box/io";
import {
  type CreateImageOptions,
  checkImage,
  createImage,
  openImage,
  type ResizeOptions,
} from "@box/qcow2";
import { openImageFile, withinDirectory } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { memoryChain, recordedFiles } from "../support/qcow2-files.ts";
import {
  hasQemuImg,
  qemuImg,
  qemuIo,
  qemuMap,
  qemuVerdict,
  temporaryFolder,
} from "../support/qemu.ts";

const size = 40 * 4096 + 700;
type Files = Readonly<Record<string, RandomAccess>>;

async function makeDisk(options: Partial<CreateImageOptions> = {}, isRaw = true) {
  const [disk, data] = [new MemoryFile(), new MemoryFile()];
  const dataFile = { name: "data", isRaw, target: data };
  const made = { virtualSizeBytes: size, clusterSizeBytes: 4096, dataFile, ...options };
  await createImage(disk, made);
  const image = await openImage(disk, { mode: "rw", dataFile: memoryChain({ data }) });
  await image.write(0, new Uint8Array(size).fill(0xaa));
  await image.close();
  return { disk, data };
}

async function resize(files: Files, sizeBytes: number, options: ResizeOptions = {}): Promise<void> {
  const { disk, data } = files as { disk: RandomAccess; data: RandomAccess };
  const dataFile = memoryChain({ data });
  await using image = await openImage(disk, { mode: "rw", dataFile });
  await image.resize(sizeBytes, { shrink: sizeBytes < image.sizeBytes, ...options });
}

async function contentOf({ disk, data }: { disk: MemoryFile; data: MemoryFile }) {
  const image = await openImage(disk, { dataFile: memoryChain({ data }) });
  return image.read(0, image.sizeBytes);
}

/** What the disk must read as at a size, and the raw data file by itself. */
function expected(sizeBytes: number, kept = size): Uint8Array {
  return new Uint8Array(sizeBytes).fill(0xaa, 0, Math.min(kept, sizeBytes));
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

describe("a disk in a raw data file", () => {
  it.each(["off", "metadata", "full"] as const)(
    "grows and shrinks together with it: %s",
    async (preallocation) => {
      const made = await makeDisk();
      let kept = size;
      for (const to of [2 * size, 600 * 4096 + 1, 30_000, 30_001, 4096 * 20]) {
        kept = Math.min(kept, to);
        const isSmaller = to === 30_000;
        await resize(made, to, isSmaller ? {} : { preallocation });
        expect(isSame(made.data.toBytes(), expected(to, kept))).toBe(true);
        expect(isSame(await contentOf(made), expected(to, kept))).toBe(true);
        expect((await checkImage(made.disk)).findings).toEqual([]);
        const image = await openImage(made.disk, { dataFile: memoryChain(made) });
        const kinds = new Set<string>();
        for await (const { kind } of image.extents()) kinds.add(kind);
        expect(kinds).toEqual(new Set(["data"]));
      }
    },
  );

  it("does not show what its file holds behind the end of the disk", async () => {
    const made = await makeDisk();
    await made.data.write(size, new Uint8Array(9000).fill(0xee));
    await resize(made, size + 5000);
    expect(isSame(made.data.toBytes(), expected(size + 5000))).toBe(true);
    expect(isSame(await contentOf(made), expected(size + 5000))).toBe(true);
  });

  it.each([
    ["grows", 2 * size],
    ["shrinks", 30_000],
  ] as const)(
    "is the old or the new one after any crash when it %s, and can be grown",
    async (_, to) => {
      const { disk, data } = await makeDisk({ clusterSizeBytes: 512 });
      const recorded = recordedFiles({ disk: disk.toBytes(), data: data.toBytes() });
      await resize(recorded.files, to);
      const seen = new Set<number>();
      for (const crashed of recorded.crashes()) {
        const left = crashed as { disk: MemoryFile; data: MemoryFile };
        const { findings } = await checkImage(left.disk);
        expect(findings.filter(({ severity }) => severity !== "leak")).toEqual([]);
        const found = await contentOf(left);
        seen.add(found.byteLength);
        expect(isSame(found, expected(found.byteLength))).toBe(true);
        // By itself it may have more than the disk, and never less.
        const raw = left.data.toBytes().subarray(0, found.byteLength);
        expect(isSame(raw, expected(found.byteLength))).toBe(true);
        await resize(left, 3 * size);
        const kept = Math.min(size, found.byteLength);
        expect(isSame(await contentOf(left), expected(3 * size, kept))).toBe(true);
        expect(isSame(left.data.toBytes(), expected(3 * size, kept))).toBe(true);
      }
      expect([...seen]).toEqual([size, to]);
    },
  );
});

describe("a resize to the size that the disk has", () => {
  it("finishes the cut of a raw data file that a crash interrupted", async () => {
    const { disk, data } = await makeDisk({ clusterSizeBytes: 512 });
    const recorded = recordedFiles({ disk: disk.toBytes(), data: data.toBytes() });
    await resize(recorded.files, 30_000);
    let unfinished = 0;
    for (const crashed of recorded.crashes()) {
      const left = crashed as { disk: MemoryFile; data: MemoryFile };
      const { byteLength } = await contentOf(left);
      if (left.data.toBytes().byteLength > byteLength) unfinished++;
      await resize(left, byteLength);
      expect(isSame(left.data.toBytes(), expected(byteLength))).toBe(true);
      expect(isSame(await contentOf(left), expected(byteLength))).toBe(true);
      const { findings } = await checkImage(left.disk);
      expect(findings.filter(({ severity }) => severity !== "leak")).toEqual([]);
    }
    expect(unfinished).toBeGreaterThan(0);
  });

  it.each([true, false])("changes no byte of one that was finished: raw %s", async (isRaw) => {
    const made = await makeDisk({}, isRaw);
    const recorded = recordedFiles({ disk: made.disk.toBytes(), data: made.data.toBytes() });
    await resize(recorded.files, size);
    expect(recorded.log).toEqual([]);
  });
});

describe("a disk in a data file that needs its tables", () => {
  it.each([
    ["metadata", "zero"],
    ["full", "data"],
  ] as const)("is preallocated when it grows: %s", async (preallocation, kind) => {
    const made = await makeDisk({}, false);
    await resize(made, 2 * size, { preallocation });
    expect(isSame(await contentOf(made), expected(2 * size))).toBe(true);
    expect((await checkImage(made.disk)).findings).toEqual([]);
    const image = await openImage(made.disk, { dataFile: memoryChain(made) });
    const start = 41 * 4096;
    let end = start;
    for await (const extent of image.extents({ start })) {
      expect(extent).toMatchObject({ start: end, kind, hostOffset: end });
      end += extent.length;
    }
    expect(end).toBe(2 * size);
  });
});

it("writes the zeros of a full preallocation", async () => {
  const { disk, data } = await makeDisk();
  const recorded = recordedFiles({ disk: disk.toBytes(), data: data.toBytes() });
  await resize(recorded.files, size + 3 * 2 ** 20, { preallocation: "full" });
  let end = size;
  for (const change of recorded.log) {
    if (change.file !== "data" || change.kind !== "write") continue;
    expect(change.offset).toBe(end);
    end += change.bytes.byteLength;
  }
  expect(end).toBe(size + 3 * 2 ** 20);
});

describe.skipIf(!hasQemuImg)("a data file that was resized here, as QEMU sees it", () => {
  const kinds = ["data_file_raw=on", "data_file_raw=off", "data_file_raw=on,extended_l2=on"];
  const cases = kinds.flatMap((kind) =>
    (["off", "metadata", "full"] as const).map((preallocation) => ({ kind, preallocation })),
  );
  it.for(cases)("equals its own: $kind, $preallocation", async ({ kind, preallocation }) => {
    using folder = temporaryFolder();
    const flags = ["-q", "-f", "qcow2"];
    for (const name of ["i", "q"]) {
      const options = `data_file=${name}.raw,${kind}`;
      qemuImg(folder.path, "create", ...flags, "-o", options, `${name}.qcow2`, "3000000");
      qemuIo(folder.path, `${name}.qcow2`, "write -q -P 5 0 2900k");
    }
    const path = join(folder.path, "i.qcow2");
    // QEMU rounds the length of a data file up when it preallocates.
    for (const to of [77 * 65_536, 1_000_448]) {
      const isSmaller = to < 3_000_000;
      {
        const dataFile = withinDirectory(folder.path);
        await using image = await openImageFile(path, { mode: "rw", dataFile });
        await image.resize(to, isSmaller ? { shrink: true } : { preallocation });
      }
      const how = isSmaller ? ["--shrink"] : [`--preallocation=${preallocation}`];
      qemuImg(folder.path, "resize", ...flags, ...how, "q.qcow2", String(to));
      for (const file of [path, join(folder.path, "i.raw")]) chmodSync(file, 0o644);
      expect(qemuVerdict(folder.path, "i.qcow2")).toBe("clean");
      const ours = readFileSync(join(folder.path, "i.raw"));
      expect(statSync(join(folder.path, "q.raw")).size).toBe(ours.byteLength);
      if (kind.includes("=on")) {
        expect(isSame(ours, readFileSync(join(folder.path, "q.raw")))).toBe(true);
      }
      // QEMU leaves subclusters unallocated that it has written zeros to.
      const hasSameMap = kind !== "data_file_raw=on,extended_l2=on" || preallocation !== "full";
      if (kind.includes("=on") && hasSameMap) {
        expect(qemuMap(folder.path, ["-f", "qcow2", "i.qcow2"])).toEqual(
          qemuMap(folder.path, ["-f", "qcow2", "q.qcow2"]),
        );
      }
      const compare = ["compare", "-f", "qcow2", "-F", "qcow2", "i.qcow2", "q.qcow2"];
      expect(qemuImg(folder.path, ...compare)).toContain("identical");
    }
  });
});

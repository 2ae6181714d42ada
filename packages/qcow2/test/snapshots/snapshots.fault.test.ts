import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MemoryFile } from "@box/io";
import { checkImage, createImage, openImage, Qcow2Error, type Qcow2Image } from "@box/qcow2";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { afterCrash } from "../support/after-crash.ts";
import { layouts, recorded } from "../support/disk-script.ts";
import { failing } from "../support/failing.ts";
import { hasQemuImg, qemuVerdict, temporaryFolder } from "../support/qemu.ts";
import {
  differences,
  type ImageModel,
  imageSteps,
  runImageStep,
  type SnapshotStep,
} from "../support/snapshot-script.ts";

const names = Object.keys(layouts).filter((name) => !/2 MiB|of 1 bit|of 2 bits/.test(name));

function copyOf({ disk, snapshots }: ImageModel): ImageModel {
  return { disk: disk.slice(), snapshots: [...snapshots] };
}

describe("a crash after any prefix of the writes of a script with snapshots", () => {
  it.for(names)("leaves a sound image: %s", async (name) => {
    using folder = temporaryFolder();
    const options = layouts[name] ?? {};
    const clusterSize = options.clusterSizeBytes ?? 65536;
    const size = 16 * clusterSize;
    let checked = 0;
    const run = async (steps: Parameters<typeof runImageStep>[2][], chance: number) => {
      const memory = new MemoryFile();
      await createImage(memory, { virtualSizeBytes: size, ...options });
      const start = memory.toBytes();
      const { file, log } = recorded(memory);
      const image = await openImage(file, { mode: "rw" });
      const model: ImageModel = { disk: new Uint8Array(size), snapshots: [] };
      const afterChanges: { end: number; models: ImageModel[] }[] = [];
      for (const step of steps) {
        const isSnapshot = !("offset" in step);
        if (isSnapshot) await image.flush();
        const before = copyOf(model);
        const from = log.length;
        if (!(await runImageStep(image, model, step)) || !isSnapshot) continue;
        const models = [before, copyOf(model)];
        for (let end = from; end <= log.length; end++) afterChanges.push({ end, models });
      }
      await image.close();
      for (let end = 0; end <= log.length; end++) {
        for (const draw of [0, chance + end + 1]) {
          const crashed = afterCrash(start, log, end, draw);
          const { errorCount, findings } = await checkImage(crashed);
          expect(errorCount, JSON.stringify(findings)).toBe(0);
          const found = afterChanges.find((change) => change.end === end);
          if (found) await requireOneOf(crashed, found.models);
          if (!hasQemuImg || ++checked % 100 !== 0) continue;
          const path = join(folder.path, "crashed.qcow2");
          writeFileSync(path, crashed.toBytes());
          chmodSync(path, 0o644);
          expect(["clean", "leaks"]).toContain(qemuVerdict(folder.path, "crashed.qcow2"));
        }
      }
    };
    const arbitrary = fc.asyncProperty(imageSteps(size, clusterSize, 3), fc.nat(), run);
    await fc.assert(arbitrary, { numRuns: 4 });
  });
});

/** The image holds all of the old state or all of the new one. */
async function requireOneOf(file: MemoryFile, models: readonly ImageModel[]): Promise<void> {
  const image = await openImage(file);
  const found = await Promise.all(models.map((model) => differences(image, model)));
  expect(found).toContainEqual([]);
}

describe("a storage that fails once during a change of the snapshots", () => {
  for (const kind of ["create", "apply", "delete"] as const) {
    it.for(["clusters of 512 and refcounts of 64 bits", "extended L2 entries"])(
      `${kind} leaves the old state or the new one, whichever call it is: %s`,
      async (name) => {
        for (let at = 1; ; at++) {
          if (at > 3000) throw new Error("the change never ends");
          if (!(await changeWithFailure(name, { kind, which: 0 }, at))) return;
        }
      },
    );
  }
});

/** Fails one call of a change; says whether the change had that many. */
async function changeWithFailure(name: string, step: SnapshotStep, at: number): Promise<boolean> {
  const options = layouts[name] ?? {};
  const clusterSize = options.clusterSizeBytes ?? 65536;
  const size = 40 * clusterSize;
  const memory = new MemoryFile();
  await createImage(memory, { virtualSizeBytes: size, ...options });
  const model: ImageModel = { disk: new Uint8Array(size), snapshots: [] };
  {
    await using image = await openImage(memory, { mode: "rw" });
    await write(image, model, 0, 20 * clusterSize, 1);
    await runImageStep(image, model, { kind: "create", which: 1 });
    await write(image, model, 10 * clusterSize, 20 * clusterSize, 2);
  }
  const before = copyOf(model);
  const after = copyOf(model);
  const bytesBefore = memory.toBytes();
  {
    await using copy = await openImage(new MemoryFile(bytesBefore), { mode: "rw" });
    await runImageStep(copy, after, step);
  }
  const { file } = recorded(memory);
  const storage = failing(file, at);
  const image = await openImage(storage.file, { mode: "rw" }).catch(expectIo);
  if (image === undefined) return true;
  let hasFailed = false;
  await runImageStep(image, model, step).catch((error: unknown) => {
    expectIo(error);
    hasFailed = true;
  });
  const isPastEnd = storage.calls < at;
  storage.at = 0;
  expect((await checkImage(memory)).errorCount).toBe(0);
  if (hasFailed) {
    const again = await openImage(memory);
    const states = [before, after].map((state) => differences(again, state));
    expect(await Promise.all(states)).toContainEqual([]);
    if (storage.failed === "read") expect(memory.toBytes()).toEqual(bytesBefore);
  }
  await goOn(image, memory, hasFailed);
  return !isPastEnd;
}

/** The image takes further writes, or refuses them all; it is sound in the end. */
async function goOn(image: Qcow2Image, memory: MemoryFile, hasFailed: boolean): Promise<void> {
  const bytes = new Uint8Array(3000).fill(9);
  let isRefused = false;
  await image.write(100, bytes).catch((error: unknown) => {
    expectIo(error);
    isRefused = true;
  });
  if (isRefused) expect(hasFailed).toBe(true);
  await image.close();
  const { errorCount, findings } = await checkImage(memory);
  expect(errorCount, JSON.stringify(findings)).toBe(0);
  if (isRefused) return;
  const again = await openImage(memory);
  expect(await again.read(100, 3000)).toEqual(bytes);
}

async function write(image: Qcow2Image, model: ImageModel, ...step: [number, number, number]) {
  const [offset, length, value] = step;
  const bytes = new Uint8Array(length).fill(value);
  await image.write(offset, bytes);
  model.disk.set(bytes, offset);
}

function expectIo(error: unknown): undefined {
  if (!(error instanceof Qcow2Error) || error.kind !== "io") throw error;
  return undefined;
}

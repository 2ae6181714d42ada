import { type FileSystemOperation, nodeFileSystem, observeFileSystem } from "@box/io/node";
import { attach, copy, type Descriptor, type RemoteRepository } from "@box/oras";
import { describe, expect, test } from "vitest";
import { collect } from "../collect.ts";
import { sampleImage } from "../sample-image.ts";
import {
  age,
  contentOf,
  type FolderRegistry,
  folderRegistry,
  hourMs,
  pullWhole,
  repositoryOf,
} from "./garbage-folder.ts";

const kept = await sampleImage([10_240, 20_480]);
const deleted = await sampleImage([10_240, 30_720]);
const untagged = await sampleImage([10_240, 40_960]);
const artifactType = "application/vnd.example";
const removing = { untagged: "remove" } as const;

/** A registry with an image that stays, one that was deleted and one without a tag, each with something attached. */
async function fill(registry: FolderRegistry): Promise<void> {
  const repository = repositoryOf(registry, "app");
  for (const image of [deleted, untagged, kept]) {
    await copy(image.target, "v1", repository);
    await attach(repository, image.root, { artifactType });
  }
  await repository.delete(deleted.root.digest);
  await age(registry.folder, 2 * hourMs);
}

/** Fails unless all that can be reached is whole: nothing is named and not there. */
async function expectWhole(registry: FolderRegistry): Promise<void> {
  const repository = repositoryOf(registry, "app");
  await pullWhole(repository, "v1");
  for (const image of [kept, untagged]) {
    const root = await resolved(repository, image.root.digest);
    if (root !== undefined) await pullWhole(repository, root.digest);
    for (const { digest } of await collect(repository.referrers(image.root))) {
      if ((await resolved(repository, digest)) !== undefined) await pullWhole(repository, digest);
    }
  }
  expect(await collect(repository.referrers(kept.root))).toHaveLength(1);
}

async function resolved(
  repository: RemoteRepository,
  reference: string,
): Promise<Descriptor | undefined> {
  return repository.resolve(reference).catch(() => undefined);
}

describe("a collection of a registry's garbage", () => {
  test("that is stopped at any change leaves all whole, and the next one ends it", async () => {
    const first = await folderRegistry();
    await fill(first);
    const whole = await folderRegistry(first.folder);
    // What is on disk changes by these calls alone.
    const stops: number[] = [];
    const counting = observeFileSystem(nodeFileSystem, ({ index, kind }) => {
      if (kind === "unlink" || kind === "syncDirectory") stops.push(index);
    });
    await whole.storage.collectGarbage({ nowMs: Date.now(), ...removing, fs: counting });
    const expected = await contentOf(whole.folder);
    expect(stops.length).toBeGreaterThan(12);
    for (const stop of stops) {
      const registry = await folderRegistry(first.folder);
      const fs = observeFileSystem(nodeFileSystem, ({ index }: FileSystemOperation) => {
        if (index >= stop) throw Object.assign(new Error("EIO: stopped"), { code: "EIO" });
      });
      const stopped = registry.storage.collectGarbage({ nowMs: Date.now(), ...removing, fs });
      await expect(stopped, `call ${stop}`).rejects.toMatchObject({ kind: "io" });
      await expectWhole(registry);
      // Pulling marks manifests as asked for.
      await age(registry.folder, 2 * hourMs);
      await registry.storage.collectGarbage({ nowMs: Date.now(), ...removing });
      expect(await contentOf(registry.folder), `call ${stop}`).toEqual(expected);
      await expectWhole(registry);
      await registry.served.close();
    }
  });

  test("spares what is pushed at every other of its calls", async () => {
    const first = await folderRegistry();
    await fill(first);
    let calls = 0;
    const counted = await folderRegistry(first.folder);
    const counting = observeFileSystem(nodeFileSystem, () => calls++);
    await counted.storage.collectGarbage({ nowMs: Date.now(), ...removing, fs: counting });
    for (let at = 1; at <= calls; at += 2) {
      const registry = await folderRegistry(first.folder);
      const repository = repositoryOf(registry, "app");
      let pushing: Promise<unknown> | undefined;
      const fs = observeFileSystem(nodeFileSystem, ({ index }: FileSystemOperation) => {
        // The deleted image again: its layers are there, old, and on the list.
        if (index === at) pushing = copy(deleted.target, "v1", repository, "again");
      });
      await registry.storage.collectGarbage({ nowMs: Date.now(), ...removing, fs });
      await pushing;
      await pullWhole(repository, "again");
      await expectWhole(registry);
      await registry.served.close();
    }
  });

  test("runs while many push what is garbage, and no push fails", async () => {
    const registry = await folderRegistry();
    const { storage, folder } = registry;
    const names = ["a", "b", "c/d"];
    const images = await Promise.all(names.map((_, n) => sampleImage([1000 * (n + 1), 500])));
    const others = await Promise.all(names.map((_, n) => sampleImage([2000 * (n + 7), 500])));
    let removed = 0;
    for (let round = 0; round < 10; round++) {
      let isOver = false;
      const collecting = (async () => {
        while (!isOver) {
          const { blobs } = await storage.collectGarbage({ nowMs: Date.now(), ...removing });
          removed += blobs.length;
        }
      })();
      // What was pushed in the round before last has no tag since.
      const pushing = names.map(async (name, index) => {
        const repository = repositoryOf(registry, name);
        const { target } = (round % 2 === 0 ? images : others)[index] ?? kept;
        await copy(target, "v1", repository);
        await pullWhole(repository, "v1");
      });
      await Promise.all(pushing).finally(() => (isOver = true));
      await collecting;
      await age(folder, 2 * hourMs);
    }
    expect(removed).toBeGreaterThan(0);
  });
});

import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type FilePath, nodeFileSystem } from "@box/io/node";
import { attach, copy, type Digest, digestHex, digestOf, mediaTypes } from "@box/oras";
import { FolderRegistryStorage } from "@box/oras/registry-server";
import { describe, expect, test } from "vitest";
import { collect } from "../collect.ts";
import { expectCode } from "../expect-code.ts";
import { add, encodeJson, noise, type SampleImage, sampleImage } from "../sample-image.ts";
import {
  age,
  contentOf,
  folderRegistry,
  hourMs,
  pullWhole,
  repositoryOf,
} from "./garbage-folder.ts";

/** Two images that share their first layer. */
const one = await sampleImage([10_240, 20_480]);
const two = await sampleImage([10_240, 30_720]);
const shared = one.layers[0]?.digest;

const digestsOf = ({ root, config, layers }: SampleImage): readonly Digest[] =>
  [root, config, ...layers].map(({ digest }) => digest);

describe("collecting the garbage of a registry's folder", () => {
  test("frees what a deleted manifest named, and what nothing else names", async () => {
    const registry = await folderRegistry();
    const { folder, storage } = registry;
    const repository = repositoryOf(registry, "team/app");
    await copy(one.target, "v1", repository);
    await copy(two.target, "v1", repository, "v2");
    await repository.delete("v1");
    await repository.delete(one.root.digest);
    await age(folder, 2 * hourMs);
    const before = await contentOf(folder);
    const freed = digestsOf(one).filter((digest) => digest !== shared);
    const sizes = [one.root, one.config, ...one.layers.slice(1)].map(({ size }) => size);
    const dry = await storage.collectGarbage({ nowMs: Date.now(), dryRun: true });
    expect(await contentOf(folder)).toEqual(before);
    const collected = await storage.collectGarbage({ nowMs: Date.now() });
    expect(dry).toEqual(collected);
    expect(new Set(collected.blobs.map(({ digest }) => digest))).toEqual(new Set(freed));
    expect(collected).toMatchObject({
      manifests: [],
      damaged: [],
      freedBytes: sizes.reduce((sum, size) => sum + size),
    });
    expect(await contentOf(folder)).toEqual(new Set(digestsOf(two)));
    await pullWhole(repository, "v2");
    expect(await repository.exists(one.config)).toBe(false);
    const again = await storage.collectGarbage({ nowMs: Date.now() });
    expect(again).toEqual({ manifests: [], blobs: [], freedBytes: 0, damaged: [] });
  });

  test("leaves what came within the grace time, and uploads that are under way", async () => {
    const registry = await folderRegistry();
    const { folder, storage, served } = registry;
    const blob = { mediaType: "x/y", digest: digestOf(noise(500)), size: 500 };
    await repositoryOf(registry, "a").push(blob, { open: async () => once(noise(500)) });
    const begun = await fetch(`${served.origin}/v2/a/blobs/uploads/`, { method: "POST" });
    const location = `${served.origin}${begun.headers.get("location")}`;
    const half = noise(1000, 2).slice(0, 400);
    expect((await fetch(location, { method: "PATCH", body: half })).status).toBe(202);
    expect((await storage.collectGarbage({ nowMs: Date.now() })).blobs).toEqual([]);
    await age(folder, 2 * hourMs);
    const { blobs } = await storage.collectGarbage({ nowMs: Date.now(), graceMs: 3 * hourMs });
    expect(blobs).toEqual([]);
    expect((await storage.collectGarbage({ nowMs: Date.now() })).blobs).toEqual([
      { digest: blob.digest, size: 500 },
    ]);
    const digest = digestOf(noise(1000, 2));
    const rest = noise(1000, 2).slice(400);
    const closed = await fetch(`${location}?digest=${digest}`, { method: "PUT", body: rest });
    expect(closed.status).toBe(201);
    expect((await storage.collectGarbage({ nowMs: Date.now() })).blobs).toEqual([]);
  });

  test("forgets uploads that were abandoned for a day", async () => {
    const { storage, served } = await folderRegistry();
    const begun = await fetch(`${served.origin}/v2/a/blobs/uploads/`, { method: "POST" });
    const location = `${served.origin}${begun.headers.get("location")}`;
    await storage.collectGarbage({ nowMs: Date.now() + 23 * hourMs });
    expect((await fetch(location)).status).toBe(204);
    await storage.collectGarbage({ nowMs: Date.now() + 25 * hourMs, dryRun: true });
    expect((await fetch(location)).status).toBe(204);
    await storage.collectGarbage({ nowMs: Date.now() + 25 * hourMs });
    expect((await fetch(location)).status).toBe(404);
  });

  test("leaves what was asked for lately, because a push may be about to name it", async () => {
    let later = 0;
    const now = (): number => Date.now() + later;
    const registry = await folderRegistry(undefined, now);
    const { storage, folder } = registry;
    const repository = repositoryOf(registry, "a");
    for (const layer of one.layers) {
      await repository.push(layer, { open: (offset) => one.target.fetch(layer, { offset }) });
    }
    later = 3 * hourMs;
    const [asked, forgotten] = one.layers;
    if (asked === undefined || forgotten === undefined) throw new Error("the sample has layers");
    expect(await repository.exists(asked)).toBe(true);
    const { blobs } = await storage.collectGarbage({ nowMs: now() + hourMs / 2 });
    expect(blobs.map(({ digest }) => digest)).toEqual([forgotten.digest]);
    expect(await contentOf(folder)).toEqual(new Set([asked.digest]));
  });

  test("leaves blobs that another repository mounted, and frees them after that one too", async () => {
    const registry = await folderRegistry();
    const { folder, storage } = registry;
    const from = repositoryOf(registry, "from");
    const to = repositoryOf(registry, "to");
    await copy(one.target, "v1", from);
    for (const blob of [one.config, ...one.layers]) {
      await to.push(blob, { open: () => one.target.fetch(blob) }, { mountFrom: "from" });
    }
    await copy(one.target, "v1", to);
    await from.delete(one.root.digest);
    await age(folder, 2 * hourMs);
    expect((await storage.collectGarbage({ nowMs: Date.now() })).blobs).toEqual([]);
    await pullWhole(to, "v1");
    // The repository itself has them no more.
    expect(await from.exists(one.config)).toBe(false);
    await to.delete(one.root.digest);
    await age(folder, 2 * hourMs);
    const { blobs } = await storage.collectGarbage({ nowMs: Date.now() });
    expect(new Set(blobs.map(({ digest }) => digest))).toEqual(new Set(digestsOf(one)));
    expect(await contentOf(folder)).toEqual(new Set());
  });

  test("keeps manifests without a tag, unless told otherwise", async () => {
    const registry = await folderRegistry();
    const { folder, storage } = registry;
    const repository = repositoryOf(registry, "app");
    await copy(one.target, "v1", repository);
    await copy(two.target, "v1", repository);
    await age(folder, 2 * hourMs);
    expect((await storage.collectGarbage({ nowMs: Date.now() })).manifests).toEqual([]);
    await pullWhole(repository, one.root.digest);
    await age(folder, 2 * hourMs);
    const removing = { nowMs: Date.now(), untagged: "remove" } as const;
    const dry = await storage.collectGarbage({ ...removing, dryRun: true });
    const collected = await storage.collectGarbage(removing);
    expect(dry).toEqual(collected);
    expect(collected.manifests).toEqual([{ repository: "app", digest: one.root.digest }]);
    await expectCode(repository.resolve(one.root.digest), "OCI_NOT_FOUND");
    expect(await contentOf(folder)).toEqual(new Set(digestsOf(two)));
    await pullWhole(repository, "v1");
  });

  test("keeps what a kept index lists and what is attached to what stays, and removes the rest", async () => {
    const registry = await folderRegistry();
    const { folder, storage } = registry;
    const repository = repositoryOf(registry, "app");
    const { target } = await sampleImage();
    await copy(one.target, "v1", target);
    await copy(two.target, "v1", target, "v2");
    const indexOf = (manifests: readonly unknown[]) =>
      encodeJson({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
    const kept = await add(target, mediaTypes.ociIndex, indexOf([one.root]));
    const gone = await add(target, mediaTypes.ociIndex, indexOf([one.root, two.root]));
    await target.tag(kept, "kept");
    await target.tag(gone, "gone");
    await copy(target, "kept", repository);
    await copy(target, "gone", repository);
    const artifactType = "application/vnd.example";
    const signature = await attach(repository, one.root, { artifactType });
    const countersign = await attach(repository, signature, { artifactType });
    const orphan = await attach(repository, two.root, { artifactType });
    await repository.delete("gone");
    await age(folder, 2 * hourMs);
    const young = await attach(repository, two.root, { artifactType, annotations: { a: "young" } });
    const { manifests } = await storage.collectGarbage({ nowMs: Date.now(), untagged: "remove" });
    expect(new Set(manifests.map(({ digest }) => digest))).toEqual(
      new Set([gone.digest, two.root.digest, orphan.digest]),
    );
    await pullWhole(repository, "kept");
    for (const { digest } of [signature, countersign, young]) await pullWhole(repository, digest);
    const about = async (subject: typeof kept): Promise<readonly Digest[]> =>
      (await collect(repository.referrers(subject))).map(({ digest }) => digest);
    expect(await about(one.root)).toEqual([signature.digest]);
    expect(await about(two.root)).toEqual([young.digest]);
  });

  test("takes nothing from a repository with a manifest that cannot be read, and says so", async () => {
    const registry = await folderRegistry();
    const { folder, storage } = registry;
    for (const name of ["good", "bad"]) {
      const repository = repositoryOf(registry, name);
      await copy(one.target, "v1", repository);
      await copy(two.target, "v1", repository, "v2");
      await repository.delete(one.root.digest);
    }
    const manifest = join(folder, "blobs", "sha256", digestHex(two.root.digest));
    const link = join(folder, "repositories/bad/_manifests", two.root.digest.replace(":", "-"));
    const [whole, facts] = [await readFile(manifest), await readFile(link)];
    const rotten = Uint8Array.from(whole);
    rotten[rotten.length - 5] = 0x20;
    const damages = [
      [link, facts.subarray(0, 10), ["bad"]],
      [link, Buffer.alloc(0), ["bad"]],
      [manifest, rotten, ["bad", "good"]],
      [manifest, Buffer.alloc(0), ["bad", "good"]],
    ] as const;
    const spared = [one.config, ...one.layers].map(({ digest }) => digest);
    for (const [path, bytes, damagedNames] of damages) {
      await writeFile(path, bytes);
      await age(folder, 2 * hourMs);
      const { damaged } = await storage.collectGarbage({ nowMs: Date.now() });
      expect([...(await contentOf(folder))]).toEqual(expect.arrayContaining(spared));
      expect(damaged.map(({ repository, digest }) => [repository, digest])).toEqual(
        damagedNames.map((name) => [name, two.root.digest]),
      );
      await writeFile(manifest, whole);
      await writeFile(link, facts);
    }
    await age(folder, 2 * hourMs);
    const { damaged } = await storage.collectGarbage({ nowMs: Date.now() });
    expect(damaged).toEqual([]);
    expect(await contentOf(folder)).toEqual(new Set(digestsOf(two)));
    await pullWhole(repositoryOf(registry, "bad"), "v2");
  });

  test("lets a request wait for what is being removed, so that it sees all of it or nothing", async () => {
    const registry = await folderRegistry();
    const { folder, storage } = registry;
    const repository = repositoryOf(registry, "a");
    for (const layer of one.layers) {
      await repository.push(layer, { open: (offset) => one.target.fetch(layer, { offset }) });
    }
    await age(folder, 2 * hourMs);
    const seen: Promise<boolean>[] = [];
    const fs = {
      ...nodeFileSystem,
      unlink: async (path: FilePath) => {
        const layer = one.layers.find(({ digest }) => String(path).includes(digestHex(digest)));
        if (layer !== undefined) seen.push(repository.exists(layer));
        await new Promise((done) => setTimeout(done, 100));
        await nodeFileSystem.unlink(path);
      },
    };
    const { blobs } = await storage.collectGarbage({ nowMs: Date.now(), fs });
    expect(new Set(await Promise.all(seen))).toEqual(new Set([false]));
    expect([seen.length, blobs.length]).toEqual([2, 0]);
  });

  test("leaves an index that is asked for meanwhile, and what it lists", async () => {
    const registry = await folderRegistry();
    const { folder, storage } = registry;
    const repository = repositoryOf(registry, "a");
    const { target } = await sampleImage();
    await copy(one.target, "v1", target);
    const manifests = [one.root];
    const index = encodeJson({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
    const root = await add(target, mediaTypes.ociIndex, index);
    await target.tag(root, "all");
    await copy(target, "all", repository);
    await repository.delete("all");
    await age(folder, 2 * hourMs);
    const fs = {
      ...nodeFileSystem,
      stat: async (path: FilePath) => {
        const facts = await nodeFileSystem.stat(path);
        if (String(path).includes(digestHex(root.digest))) await repository.resolve(root.digest);
        return facts;
      },
    };
    const options = { nowMs: Date.now(), untagged: "remove", fs } as const;
    expect(await storage.collectGarbage(options)).toMatchObject({ manifests: [], blobs: [] });
    await pullWhole(repository, root.digest);
  });

  test("leaves content that has no link yet, until it is old", async () => {
    const { folder, storage } = await folderRegistry();
    const bytes = noise(100);
    await mkdir(join(folder, "blobs/sha256"), { recursive: true });
    await writeFile(join(folder, "blobs/sha256", digestHex(digestOf(bytes))), bytes);
    await writeFile(join(folder, "blobs/sha256/other"), bytes);
    expect((await storage.collectGarbage({ nowMs: Date.now() })).blobs).toEqual([]);
    await age(folder, 2 * hourMs);
    const { blobs } = await storage.collectGarbage({ nowMs: Date.now() });
    expect(blobs).toEqual([{ digest: digestOf(bytes), size: 100 }]);
    expect(await readdir(join(folder, "blobs/sha256"))).toEqual(["other"]);
  });

  test("takes a blob for new when its upload is closed, however old its bytes are", async () => {
    const { folder, served } = await folderRegistry();
    const begun = await fetch(`${served.origin}/v2/a/blobs/uploads/`, { method: "POST" });
    const location = `${served.origin}${begun.headers.get("location")}`;
    await fetch(location, { method: "PATCH", body: noise(100) as Uint8Array<ArrayBuffer> });
    await age(folder, 2 * hourMs);
    const digest = digestOf(noise(100));
    await fetch(`${location}?digest=${digest}`, { method: "PUT" });
    const { mtimeMs } = await stat(join(folder, "blobs/sha256", digestHex(digest)));
    expect(Date.now() - mtimeMs).toBeLessThan(hourMs);
  });

  test("is stopped by a signal, and not begun twice at once", async () => {
    const registry = await folderRegistry();
    await copy(one.target, "v1", repositoryOf(registry, "a"));
    const { storage } = registry;
    const signal = AbortSignal.abort();
    await expectCode(storage.collectGarbage({ nowMs: 0, signal }), "ORAS_ABORTED");
    const first = storage.collectGarbage({ nowMs: 0 });
    await expect(storage.collectGarbage({ nowMs: 0 })).rejects.toThrow("under way");
    expect((await first).blobs).toEqual([]);
  });
});

describe("a registry's folder", () => {
  test("is open in one process at a time", async () => {
    const { folder, served } = await folderRegistry();
    const open = () => FolderRegistryStorage.open(folder, Date.now());
    const error = await expectCode(open, "IO_LOCK_HELD");
    expect(error.message).toContain("serve a registry");
    await served.close();
    await (await open()).close();
  });

  test("gives back manifests with long annotations, and lists them by pages that clients take", async () => {
    const registry = await folderRegistry();
    const repository = repositoryOf(registry, "app");
    await copy(one.target, "v1", repository);
    const attached = new Set<Digest>();
    for (const key of ["a", "b", "c"]) {
      const annotations = { [key]: "x".repeat(1_500_000) };
      const options = { artifactType: "application/vnd.example", annotations };
      attached.add((await attach(repository, one.root, options)).digest);
    }
    const found = await collect(repository.referrers(one.root));
    expect(new Set(found.map(({ digest }) => digest))).toEqual(attached);
    for (const digest of attached) await pullWhole(repository, digest);
  });
});

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

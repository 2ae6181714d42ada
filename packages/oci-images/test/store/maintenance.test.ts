import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { nodeFileSystem, observeFileSystem } from "@box/io/node";
import { ImageStore } from "@box/oci-images";
import { copy, MemoryTarget, OciLayout } from "@box/oras";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { addImage, noise } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const platform = { os: "linux", architecture: "amd64" };
const muchLater = Date.now() + 1e9;

async function storeWith(tags: readonly string[]) {
  const folder = await temporaryFolder();
  const layout = await OciLayout.ensure(join(folder, "layout"));
  const shared = noise(2000, 99);
  for (const [index, tag] of tags.entries()) {
    const target = new MemoryTarget();
    await target.tag(await addImage(target, { tars: [shared, noise(1000, index + 1)] }), tag);
    await copy(target, tag, layout);
  }
  const store = await ImageStore.open(join(folder, "store"), { platform });
  const images = [];
  for (const tag of tags) images.push(await store.pull(`oci:${layout.directory}:${tag}`));
  return { store, images };
}

async function damage(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[10] = (bytes[10] as number) ^ 1;
  await writeFile(path, bytes);
}

describe("collecting garbage", () => {
  test("removes what no name leads to and nothing else", async () => {
    const { store, images } = await storeWith(["v1", "v2"]);
    const [gone, stays] = images as [(typeof images)[0], (typeof images)[0]];
    expect((await store.collectGarbage({ nowMs: muchLater })).removed).toEqual([]);
    expect(await store.remove(gone.reference as string)).toBe(true);
    expect(await store.remove(gone.reference as string)).toBe(false);
    const dry = await store.collectGarbage({ nowMs: muchLater, dryRun: true });
    const real = await store.collectGarbage({ nowMs: muchLater });
    expect(real).toEqual(dry);
    // Its manifest, config and own layer; the other layer is shared.
    expect(real.removed).toHaveLength(3);
    expect(real.freedBytes).toBeGreaterThan(1000);
    expect((await store.get(stays.reference)).digest).toBe(stays.digest);
    await expectCode(store.get(gone.digest), "OCI_IMAGE_NOT_FOUND");
  });

  test("spares young blobs and those that are kept by digest", async () => {
    const { store, images } = await storeWith(["v1"]);
    const [image] = images as [(typeof images)[0]];
    await store.remove(image.reference);
    const keep = [image.digest];
    expect((await store.collectGarbage({ nowMs: Date.now() })).removed).toEqual([]);
    expect((await store.collectGarbage({ nowMs: muchLater, keep })).removed).toEqual([]);
    expect((await store.get(image.digest)).layers).toHaveLength(2);
  });

  test("spares a blob that is kept and no manifest, and takes no rotten manifest for one", async () => {
    const { store, images } = await storeWith(["v1"]);
    const [image] = images as [(typeof images)[0]];
    await store.remove(image.reference);
    const [layer] = image.layers as [(typeof image.layers)[0]];
    const only = { nowMs: muchLater, dryRun: true, keep: [layer.descriptor.digest] };
    const { removed } = await store.collectGarbage(only);
    // Its manifest, config and other layer.
    expect(removed).toHaveLength(3);
    await damage(store.layout.blobPath(image.digest));
    const keep = [image.digest];
    await expectCode(store.collectGarbage({ nowMs: muchLater, keep }), "OCI_DIGEST_MISMATCH");
    expect(await store.layout.exists(layer.descriptor)).toBe(true);
  });

  test("removes nothing when the disk fails under a manifest that is kept", async () => {
    const { store, images } = await storeWith(["v1"]);
    const [image] = images as [(typeof images)[0]];
    await store.remove(image.reference);
    const path = store.layout.blobPath(image.digest);
    const fs = observeFileSystem(nodeFileSystem, (call) => {
      if (call.kind === "open" && call.path === path) {
        throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
      }
    });
    const failing = await ImageStore.open(store.layout.directory, { platform, fs });
    const keep = [image.digest];
    await expectCode(failing.collectGarbage({ nowMs: muchLater, keep }), "IO_FAILED");
    expect((await store.get(image.digest)).layers).toHaveLength(2);
  });

  test("removes nothing when a manifest cannot be read", async () => {
    const { store, images } = await storeWith(["v1", "v2"]);
    const [gone, stays] = images as [(typeof images)[0], (typeof images)[0]];
    await store.remove(gone.reference);
    await damage(store.layout.blobPath(stays.digest));
    await expectCode(store.collectGarbage({ nowMs: muchLater }), "OCI_DIGEST_MISMATCH");
    expect(await store.layout.exists(gone.descriptor)).toBe(true);
  });
});

describe("names", () => {
  test("are added to images that are there", async () => {
    const { store, images } = await storeWith(["v1"]);
    const [image] = images as [(typeof images)[0]];
    await store.tag(image.reference, "app:latest");
    expect((await store.get("app")).digest).toBe(image.digest);
    expect((await store.list()).map(({ reference }) => reference)).toEqual([
      image.reference,
      "docker.io/library/app:latest",
    ]);
    await expectCode(store.tag("nothing", "x"), "OCI_IMAGE_NOT_FOUND");
  });
});

describe("damage in the store", () => {
  test("is found by hashing, and healed by the next pull after a repair", async () => {
    const { store, images } = await storeWith(["v1"]);
    const [image] = images as [(typeof images)[0]];
    expect(await store.verify()).toEqual([]);
    const [layer] = image.layers as [(typeof image.layers)[0]];
    const { digest } = layer.descriptor;
    await damage(store.layout.blobPath(digest));
    expect(await store.verify()).toMatchObject([
      { digest, code: "OCI_DIGEST_MISMATCH", isRemoved: false },
    ]);
    expect(await store.verify({ repair: true })).toMatchObject([{ digest, isRemoved: true }]);
    await expectCode(store.get(image.reference), "OCI_IMAGE_INCOMPLETE");
    await store.pull(image.reference);
    expect(await store.verify()).toEqual([]);
  });

  test("of a manifest or config heals with the next pull", async () => {
    const { store, images } = await storeWith(["v1"]);
    const [image] = images as [(typeof images)[0]];
    for (const digest of [image.digest, image.manifest.config.digest]) {
      await damage(store.layout.blobPath(digest));
      await expectCode(store.get(image.reference), "OCI_DIGEST_MISMATCH");
      expect(await store.pull(image.reference)).toEqual(image);
    }
  });
});

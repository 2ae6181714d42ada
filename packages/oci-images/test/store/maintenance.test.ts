import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { acquireLock, nodeFileSystem, observeFileSystem } from "@box/io/node";
import { ImageStore } from "@box/oci-images";
import { attach, copy, MemoryTarget, OciLayout } from "@box/oras";
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

/** Begins an import that waits for its input. @returns What ends it. */
async function createSpool(store: ImageStore): Promise<() => Promise<void>> {
  const begun = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const chunks = async function* () {
    yield noise(1000);
    begun.resolve();
    await goOn.promise;
  };
  const importing = expectCode(
    store.import({ chunks: chunks(), what: "a stream" }),
    "OCI_ARCHIVE_CORRUPT",
  );
  await begun.promise;
  return async () => {
    goOn.resolve();
    await importing;
  };
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

  test("spares what is attached to an image, and to that, until the image goes", async () => {
    const { store, images } = await storeWith(["v1", "v2"]);
    const [gone, stays] = images as [(typeof images)[0], (typeof images)[0]];
    await store.remove(gone.reference);
    const options = { artifactType: "application/x.report" };
    const report = await attach(store.layout, stays.descriptor, options);
    const signature = await attach(store.layout, report, options);
    await attach(store.layout, gone.descriptor, options);
    expect(await store.list()).toHaveLength(1);
    const digestsListed = async (): Promise<readonly string[]> =>
      (await store.layout.index()).manifests.map(({ digest }) => digest);
    expect(await digestsListed()).toHaveLength(4);
    await store.collectGarbage({ nowMs: muchLater, graceMs: 0, dryRun: true });
    expect(await digestsListed()).toHaveLength(4);
    const real = await store.collectGarbage({ nowMs: muchLater, graceMs: 0 });
    expect(await digestsListed()).toEqual([stays.digest, report.digest, signature.digest]);
    // Manifest, config, layer and report of the image that went.
    expect(real.removed).toHaveLength(4);
    expect(await store.layout.exists(report)).toBe(true);
    expect(await store.layout.exists(signature)).toBe(true);
    await store.remove(stays.reference);
    await store.collectGarbage({ nowMs: muchLater, graceMs: 0 });
    expect(await store.layout.exists(report)).toBe(false);
    expect(await store.layout.exists(signature)).toBe(false);
    expect(await digestsListed()).toEqual([]);
  });

  test("removes what killed processes left, and nothing of those that live", async () => {
    const { store } = await storeWith(["v1"]);
    const ingest = join(store.layout.directory, "ingest");
    const dead = join(ingest, "import-0");
    await mkdir(dead);
    await writeFile(join(dead, "archive.tar"), noise(5000));
    const partial = join(ingest, `sha256-${"a".repeat(64)}`);
    const written = join(ingest, `sha256-${"b".repeat(64)}`);
    await writeFile(partial, noise(300));
    await writeFile(written, noise(300));
    const stripe = 0xbbbb % 256;
    await using _writer = await acquireLock(join(ingest, `blob-${stripe}.lock`));
    const alive = await createSpool(store);
    // What was left a moment ago may be gone on with.
    const now = { nowMs: Date.now(), graceMs: 0 };
    expect((await store.collectGarbage({ ...now, dryRun: true })).leftoverBytes).toBe(5000);
    expect(await readdir(dead)).toHaveLength(1);
    expect((await store.collectGarbage(now)).leftoverBytes).toBe(5000);
    expect(await readdir(ingest)).not.toContain("import-0");
    expect(await store.collectGarbage({ nowMs: muchLater })).toMatchObject({
      leftoverBytes: 300,
      freedBytes: 300,
    });
    const left = (await readdir(ingest)).filter((name) => /^sha256-|^import-[^.]+$/.test(name));
    expect(left).toHaveLength(2);
    await alive();
    const names = await readdir(ingest);
    expect(names.filter((name) => name.startsWith("import-"))).toEqual([]);
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

import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { nodeFileSystem, observeFileSystem } from "@box/io/node";
import { type Image, ImageStore, type VerifyBlobsOptions } from "@box/oci-images";
import { copy, digestOf, MemoryTarget, OciLayout } from "@box/oras";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { addImage, addIndex, type ImageParts, noise } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const platform = { os: "linux", architecture: "amd64" };
const arm = { os: "linux", architecture: "arm64" };

/** A store with one platform of an index of two. */
async function storeWith(parts: ImageParts): Promise<{ store: ImageStore; image: Image }> {
  const folder = await temporaryFolder();
  const target = new MemoryTarget();
  const index = await addIndex(target, [
    { ...(await addImage(target, parts)), platform },
    { ...(await addImage(target, { tars: [noise(20)], platform: arm })), platform: arm },
  ]);
  await target.tag(index, "v1");
  await copy(target, "v1", await OciLayout.ensure(join(folder, "layout")));
  const store = await ImageStore.open(join(folder, "store"), { platform });
  return { store, image: await store.pull(`oci:${folder}/layout:v1`) };
}

/** Digest and code of each finding. */
async function found(store: ImageStore, options?: VerifyBlobsOptions): Promise<string[][]> {
  return (await store.verify(options)).map(({ digest, code }) => [digest, code]);
}

const deep = { deep: true };

describe("verifying a store", () => {
  test("finds nothing in one that is sound, whatever was never pulled, and tells how far it is", async () => {
    const { store, image } = await storeWith({ tars: [noise(3000), noise(2_500_000, 2)] });
    const told = new Map<string, string>();
    const onProgress = (digest: string, done: number, total: number) =>
      told.set(digest, `${done} of ${total}`);
    expect(await store.verify({ deep: true, onProgress })).toEqual([]);
    for (const { descriptor } of image.layers) {
      expect(told.get(descriptor.digest)).toBe(`${descriptor.size} of ${descriptor.size}`);
    }
  });

  test("misses layers, configs and manifests, each once", async () => {
    const { store, image } = await storeWith({ tars: [noise(3000), noise(3000)] });
    const [layer] = image.layers;
    const gone = [layer?.descriptor.digest, image.manifest.config.digest].flatMap(
      (one) => one ?? [],
    );
    for (const digest of gone) await rm(store.layout.blobPath(digest));
    const expected = gone.map((digest) => [digest, "OCI_IMAGE_INCOMPLETE"]);
    for (const options of [{}, deep]) {
      expect((await found(store, options)).sort()).toEqual(expected.sort());
    }
    await rm(store.layout.blobPath(image.root.digest));
    expect(await found(store)).toEqual([[image.root.digest, "OCI_IMAGE_INCOMPLETE"]]);
  });

  test("looks into layers when it is to go deep, and only then", async () => {
    const tars = [noise(3000, 1), noise(3000, 2)];
    const wrong = {
      rootfs: {
        type: "layers",
        diff_ids: [tars[0], tars[0]].map((tar) => digestOf(tar ?? noise(1))),
      },
    };
    const { store, image } = await storeWith({ tars, config: wrong });
    expect(await found(store)).toEqual([]);
    const second = image.layers[1]?.descriptor.digest;
    expect(await found(store, deep)).toEqual([[second, "OCI_DIFF_ID_MISMATCH"]]);
    // What is wrong is not the blob.
    const [finding] = await store.verify({ deep: true, repair: true });
    expect(finding?.isRemoved).toBe(false);
    expect(
      await store.layout.exists({
        mediaType: "",
        digest: second ?? image.digest,
        size: image.layers[1]?.descriptor.size ?? 0,
      }),
    ).toBe(true);
  });

  test("judges layers by the store's limits, and configs by what they say", async () => {
    const compress = (tar: Uint8Array) => gzipSync(tar);
    const { store } = await storeWith({ tars: [new Uint8Array(100_000)], compress });
    const strict = await ImageStore.open(store.layout.directory, {
      platform,
      layerLimits: { maxTarBytes: 1000 },
    });
    expect(await strict.verify(deep)).toMatchObject([{ code: "OCI_LAYER_TOO_LARGE" }]);
  });

  test("does not look into what it has found damaged", async () => {
    const { store, image } = await storeWith({ tars: [noise(3000)] });
    for (const digest of [image.digest, image.manifest.config.digest, image.root.digest]) {
      const path = store.layout.blobPath(digest);
      const whole = await readFile(path);
      const bytes = Buffer.from(whole);
      bytes[10] = (bytes[10] ?? 0) ^ 1;
      await writeFile(path, bytes);
      expect(await found(store, deep)).toEqual([[digest, "OCI_DIGEST_MISMATCH"]]);
      expect(await store.verify({ deep: true, repair: true })).toMatchObject([{ isRemoved: true }]);
      await writeFile(path, whole);
      expect(await found(store, deep)).toEqual([]);
    }
  });

  test("throws what is the disk's fault", async () => {
    const { store, image } = await storeWith({ tars: [noise(3000)] });
    const path = store.layout.blobPath(image.manifest.config.digest);
    const fs = observeFileSystem(nodeFileSystem, (call) => {
      if (call.kind === "read" && call.path === path) {
        throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
      }
    });
    const failing = await ImageStore.open(store.layout.directory, { platform, fs });
    await expectCode(failing.verify(deep), "IO_FAILED");
  });
});

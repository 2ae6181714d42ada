import { architectures, buildSampleImage, mediaTypes, sampleEnv } from "@box/sample-image";
import { describe, expect, test } from "vitest";
import { bytesOf, digestOf, readManifest, tarOf, textOf } from "./read-image.ts";

const image = buildSampleImage();

describe("buildSampleImage", () => {
  test("makes the same bytes every time", () => {
    expect(buildSampleImage()).toEqual(image);
  });

  test("names every blob by its digest", () => {
    for (const [digest, bytes] of image.blobs) expect(digestOf(bytes)).toBe(digest);
  });

  test("is an index with a manifest for each architecture", () => {
    expect(image.index.mediaType).toBe(mediaTypes.index);
    expect(bytesOf(image, image.index.digest)).toHaveLength(image.index.size);
    expect(JSON.parse(textOf(image, image.index.digest))).toEqual({
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: image.manifests,
    });
    expect(image.manifests.map(({ platform }) => platform)).toEqual([
      { os: "linux", architecture: "amd64" },
      { os: "linux", architecture: "arm64", variant: "v8" },
    ]);
  });

  test("gives each blob before those that refer to it, and has no other blobs", () => {
    const inOrder = new Set<string>();
    for (const manifest of image.manifests) {
      const { configDescriptor, layers } = readManifest(image, manifest);
      for (const { digest } of [...layers, configDescriptor, manifest]) inOrder.add(digest);
    }
    inOrder.add(image.index.digest);
    expect([...image.blobs.keys()]).toEqual([...inOrder]);
  });

  test("differs between architectures in the program's layer only", () => {
    const [amd64 = [], arm64 = []] = image.manifests.map((manifest) =>
      readManifest(image, manifest).layers.map(({ digest }) => digest),
    );
    expect(amd64.map((digest, i) => digest === arm64[i])).toEqual([true, false, true, true]);
  });

  test("has the uncompressed layers of this version, on every machine", () => {
    const diffIds = image.manifests.map((manifest) => readManifest(image, manifest).config.rootfs);
    expect(diffIds).toMatchInlineSnapshot(`
      [
        {
          "diff_ids": [
            "sha256:a5cabe49b33ddf9ac9e61b0af71f3edcb657b76224026f402fe11910c9e291a3",
            "sha256:75d04949fc3f86661b60ee33841a3623654ed747edc83cb992e07721a4f3299a",
            "sha256:864971ecbd755a9512f3dff795f2a5338fe376e08886b2418fa8d965320bddb3",
            "sha256:b25c59c4b2fee43fe111629600d299f442e353c67139101d330ffd23a05629df",
          ],
          "type": "layers",
        },
        {
          "diff_ids": [
            "sha256:a5cabe49b33ddf9ac9e61b0af71f3edcb657b76224026f402fe11910c9e291a3",
            "sha256:2a68b76e4aefd746bcd62722b5710551b248064cb49d9323a49bac4a3feefd9e",
            "sha256:864971ecbd755a9512f3dff795f2a5338fe376e08886b2418fa8d965320bddb3",
            "sha256:b25c59c4b2fee43fe111629600d299f442e353c67139101d330ffd23a05629df",
          ],
          "type": "layers",
        },
      ]
    `);
  });
});

describe.each(architectures)("the image for %s", (architecture) => {
  const manifest = image.manifests[architectures.indexOf(architecture)] ?? image.index;
  const { config, configDescriptor, layers } = readManifest(image, manifest);
  const tars = layers.map((layer) => tarOf(image, layer));

  test("has layers that are stored in every way there is", () => {
    expect(layers.map(({ mediaType }) => mediaType.replace(mediaTypes.layer, ""))).toEqual([
      "+gzip",
      "+zstd",
      "",
      "+gzip",
    ]);
    for (const { digest, size } of [...layers, configDescriptor]) {
      expect(bytesOf(image, digest)).toHaveLength(size);
    }
  });

  test("has a last layer of two gzip members, cut inside a block of the tar", () => {
    const [last] = layers.slice(-1).map(({ digest }) => Buffer.from(bytesOf(image, digest)));
    const second = last?.indexOf(Buffer.from([0x1f, 0x8b, 8]), 1) ?? -1;
    expect(second).toBeGreaterThan(0);
    const sizeOfFirst = last?.readUInt32LE(second - 4) ?? 0;
    expect(sizeOfFirst % 512).not.toBe(0);
    expect(sizeOfFirst).toBeLessThan(tars.at(-1)?.length ?? 0);
  });

  test("has a configuration whose diffIDs are the layers' digests", () => {
    expect(config).toMatchObject({ architecture, os: "linux" });
    expect(config.rootfs.diff_ids).toEqual(tars.map(digestOf));
    expect(config.history.filter((step) => step.empty_layer !== true)).toHaveLength(layers.length);
  });

  test("starts the program in an environment with odd entries", () => {
    expect(config.config.Entrypoint).toEqual(["/bin/hello"]);
    expect(config.config.Env).toEqual(sampleEnv);
    expect(sampleEnv.some((entry) => !entry.includes("="))).toBe(true);
  });
});

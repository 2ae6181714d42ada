import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ImageStore, type ImageStoreOptions } from "@box/oci-images";
import { copy, type Descriptor, MemoryTarget, mediaTypes, OciLayout } from "@box/oras";
import { drain, scriptedServer } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { add, addImage, addIndex, encodeJson } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const mebibyte = 1024 * 1024;
const platform = { os: "linux", architecture: "amd64" };
const long = "x".repeat(5 * mebibyte);
const large = { maxManifestBytes: 6 * mebibyte };

async function openStore(limits: ImageStoreOptions["limits"] = {}): Promise<ImageStore> {
  return ImageStore.open(join(await temporaryFolder(), "images"), { platform, limits });
}

/** An image with a manifest and a config larger than the default limit. */
async function largeImage(): Promise<{ target: MemoryTarget; root: Descriptor }> {
  const target = new MemoryTarget();
  const root = await addImage(target, {
    config: { author: long },
    manifest: { annotations: { long } },
  });
  await target.tag(root, "v1");
  return { target, root };
}

async function served(target: MemoryTarget): Promise<string> {
  const server = await scriptedServer(async (request, response) => {
    const found = await target.resolve(request.url?.split("/").at(-1) ?? "");
    response.writeHead(200, { "content-type": found.mediaType });
    response.end(await drain(target.fetch(found)));
  });
  return `${server.host}/app:v1`;
}

describe("the limit of manifests and configs", () => {
  test("holds for what comes from registries, layouts and archives, and can be raised", async () => {
    const { target, root } = await largeImage();
    const folder = await temporaryFolder();
    const layout = await OciLayout.ensure(join(folder, "layout"), { limits: large });
    await copy(target, "v1", layout, "v1", large);
    const reference = await served(target);
    const store = await openStore(large);
    expect((await store.pull(reference)).digest).toBe(root.digest);
    const sources = [reference, `oci:${layout.directory}:v1`];
    for (const format of ["oci-archive", "docker-archive", "docker-archive-legacy"] as const) {
      const path = join(folder, `${format}.tar`);
      await writeFile(path, await drain(store.export(reference, { format, name: "app:v1" })));
      sources.push(`${format === "oci-archive" ? format : "docker-archive"}:${path}`);
    }
    for (const source of sources) {
      await expectCode((await openStore()).pull(source), "OCI_TOO_LARGE");
      const image = await (await openStore(large)).pull(source);
      expect(image.config.author, source).toBe(long);
    }
    const pushed = await store.push(reference, `oci:${folder}/pushed:v1`);
    expect(pushed.digest).toBe(root.digest);
    expect(await store.collectGarbage({ nowMs: Date.now() + 1e9 })).toMatchObject({ removed: [] });
  });

  test("is the client's too, unless that has its own", async () => {
    const { target, root } = await largeImage();
    const reference = await served(target);
    const registry = { limits: { maxManifestBytes: 100 } };
    const directory = join(await temporaryFolder(), "images");
    const store = await ImageStore.open(directory, { platform, limits: large, registry });
    await expectCode(store.pull(reference), "OCI_TOO_LARGE");
    expect((await store.pull(reference, { registry: {} })).digest).toBe(root.digest);
  });
});

describe("the limit of", () => {
  test("candidates holds for manifests, indexes and configs that must be looked at", async () => {
    const target = new MemoryTarget();
    const other = { os: "linux", architecture: "arm64" };
    const entries = [
      await addImage(target, { platform: other, tars: [new Uint8Array(1)] }),
      await addImage(target, { platform: other, tars: [new Uint8Array(2)] }),
      await addImage(target, { tars: [new Uint8Array(3)] }),
    ];
    await target.tag(await addIndex(target, entries), "v1");
    const reference = await served(target);
    await expectCode((await openStore({ maxCandidates: 3 })).pull(reference), "OCI_TOO_LARGE");
    const image = await (await openStore({ maxCandidates: 4 })).pull(reference);
    expect(image.digest).toBe(entries[2]?.digest);
  });

  test("configs keeps a large one of an unnamed platform from being looked at", async () => {
    const target = new MemoryTarget();
    const config = await add(target, mediaTypes.ociConfig, encodeJson({ ...platform, long }));
    const root = await addImage(target, { manifest: { config } });
    await target.tag(await addIndex(target, [root]), "v1");
    const reference = await served(target);
    await expectCode((await openStore()).pull(reference), "OCI_NO_PLATFORM_MATCH");
  });

  test("the store's index.json can be lowered", async () => {
    const { target } = await largeImage();
    const store = await openStore({ ...large, maxIndexBytes: 20 });
    await expectCode(store.pull(await served(target)), "OCI_TOO_LARGE");
  });
});

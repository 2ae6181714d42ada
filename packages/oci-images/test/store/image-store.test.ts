import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ImageStore, type PullEvent, type PullOptions } from "@box/oci-images";
import { copy, type Descriptor, digestOf, MemoryTarget, mediaTypes, OciLayout } from "@box/oras";
import { drain, type ScriptedServer, scriptedServer } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { addImage, addIndex, encodeJson, type ImageParts, noise } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const arm64 = { os: "linux", architecture: "arm64" };

async function openStore(): Promise<ImageStore> {
  return ImageStore.open(join(await temporaryFolder(), "images"), {
    platform: amd64,
    registry: { retry: { attempts: 1 } },
  });
}

/** A layout on disk with one image called v1. */
async function layoutWith(parts: ImageParts = {}): Promise<{ folder: string; root: Descriptor }> {
  const target = new MemoryTarget();
  const root = await addImage(target, parts);
  await target.tag(root, "v1");
  const folder = join(await temporaryFolder(), "layout");
  await copy(target, "v1", await OciLayout.ensure(folder), "v1", {
    selectSuccessors: (_parent, all) => all.filter((one) => one.urls === undefined),
  });
  return { folder, root };
}

interface Registry extends ScriptedServer {
  target: MemoryTarget;
}

/** A registry that serves what is in a target; tags are the target's. */
async function registryOf(target: MemoryTarget): Promise<Registry> {
  const server = await scriptedServer(async (request, response) => {
    const reference = request.url?.split("/").at(-1) ?? "";
    try {
      const descriptor = await registry.target.resolve(reference);
      const bytes = await drain(registry.target.fetch(descriptor));
      response.writeHead(200, {
        "content-type": descriptor.mediaType,
        "content-length": bytes.byteLength,
        "docker-content-digest": descriptor.digest,
      });
      response.end(request.method === "HEAD" ? undefined : bytes);
    } catch {
      response.writeHead(404);
      response.end();
    }
  });
  const registry: Registry = { ...server, target };
  return registry;
}

async function taggedImage(
  parts?: ImageParts,
): Promise<{ target: MemoryTarget; root: Descriptor }> {
  const target = new MemoryTarget();
  const root = await addImage(target, parts);
  await target.tag(root, "v1");
  return { target, root };
}

describe("pulling from an image layout", () => {
  test("brings the image whole, with typed config and layers that verify", async () => {
    const store = await openStore();
    const { folder, root } = await layoutWith();
    const events: PullEvent[] = [];
    const image = await store.pull(`oci:${folder}:v1`, { onEvent: (event) => events.push(event) });
    expect(image).toMatchObject({ digest: root.digest, root, reference: `oci:${folder}:v1` });
    expect(image.config.env).toEqual(["PATH=/bin"]);
    for (const layer of image.layers) {
      expect(digestOf(await drain(store.openLayer(layer)))).toBe(layer.diffId);
      const { digest, size: totalBytes } = layer.descriptor;
      expect(events).toContainEqual({
        type: "progress",
        digest,
        doneBytes: totalBytes,
        totalBytes,
      });
      expect(events).toContainEqual({ type: "stored", digest, totalBytes });
    }
    expect(events[0]).toEqual({
      type: "resolved",
      reference: image.reference,
      digest: root.digest,
    });
    const { digest, size: totalBytes } = image.manifest.config;
    expect(events).toContainEqual({ type: "stored", digest, totalBytes });
    expect(events).not.toContainEqual(expect.objectContaining({ type: "exists" }));
    const again: PullEvent[] = [];
    await store.pull(`oci:${folder}@${root.digest}`, { onEvent: (event) => again.push(event) });
    expect(again).toContainEqual({ type: "exists", digest, totalBytes });
    expect(new Set(again.map(({ type }) => type))).toEqual(new Set(["resolved", "exists"]));
  });

  test("without a tag takes the only image", async () => {
    const store = await openStore();
    const { folder, root } = await layoutWith();
    expect((await store.pull(`oci:${folder}`)).digest).toBe(root.digest);
    expect((await store.pull(`oci:${folder}@${root.digest}`)).digest).toBe(root.digest);
  });

  test("sees each time what the tag names now", async () => {
    const store = await openStore();
    const { folder } = await layoutWith();
    const before = await store.pull(`oci:${folder}:v1`);
    const other = await taggedImage({ tars: [noise(10, 9)] });
    await copy(other.target, "v1", await OciLayout.open(folder), "v1");
    expect((await store.pull(`oci:${folder}:v1`)).digest).toBe(other.root.digest);
    expect((await store.pull(`oci:${folder}:v1`)).digest).not.toBe(before.digest);
    expect(await store.list()).toHaveLength(1);
  });

  test.each([
    ["OCI_LAYOUT_MISSING", "oci:/nonexistent/layout:v1"],
    ["OCI_NOT_FOUND", "oci-archive:/nonexistent.tar"],
    ["OCI_NOT_FOUND", "docker-archive:/nonexistent.tar"],
    ["OCI_INVALID_REFERENCE", "Not A Reference"],
  ] as const)("fails with %s for %s, with a hint", async (code, reference) => {
    const store = await openStore();
    const error = await expectCode(store.pull(reference), code);
    expect(error.hint).toBeDefined();
    expect(await store.list()).toEqual([]);
  });

  test("fails for an unknown tag and says which there are", async () => {
    const { folder } = await layoutWith();
    const error = await expectCode((await openStore()).pull(`oci:${folder}:v2`), "OCI_NOT_FOUND");
    expect(error.hint).toBe("it holds v1");
    expect(error.kind).toBe("not-found");
  });

  test("fails for a layer that is missing and leaves nothing of it", async () => {
    const store = await openStore();
    const { folder, root } = await layoutWith();
    const layout = await OciLayout.open(folder);
    const manifest = JSON.parse(await readFile(layout.blobPath(root.digest), "utf8"));
    await rm(layout.blobPath(manifest.layers[1].digest));
    const error = await expectCode(store.pull(`oci:${folder}:v1`), "OCI_NOT_FOUND");
    expect(error.hint).toContain("copy the image into it again");
    const left = await readdir(join(store.layout.directory, "ingest"));
    expect(left.filter((name) => !name.endsWith(".lock"))).toEqual(["leases"]);
  });

  test("fails for a damaged layer and leaves no trace of the image", async () => {
    const store = await openStore();
    const { folder, root } = await layoutWith();
    const layout = await OciLayout.open(folder);
    const manifest = JSON.parse(await readFile(layout.blobPath(root.digest), "utf8"));
    const path = layout.blobPath(manifest.layers[1].digest);
    const bytes = await readFile(path);
    bytes[20] = (bytes[20] as number) ^ 1;
    await writeFile(path, bytes);
    const error = await expectCode(store.pull(`oci:${folder}:v1`), "OCI_DIGEST_MISMATCH");
    expect(error.kind).toBe("corrupt");
    expect(await store.list()).toEqual([]);
    const left = await readdir(join(store.layout.directory, "ingest"));
    expect(left.filter((name) => !name.endsWith(".lock"))).toEqual(["leases"]);
    await expectCode(store.get(root.digest), "OCI_IMAGE_NOT_FOUND");
  });
});

describe("an image is refused", () => {
  const foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
  test.each([
    ["OCI_FOREIGN_LAYER", { layerType: foreign }],
    ["OCI_FOREIGN_LAYER", { layerType: "application/vnd.oci.image.layer.nondistributable.v1.tar" }],
    ["OCI_ENCRYPTED_LAYER", { layerType: `${mediaTypes.ociLayerGzip}+encrypted` }],
    ["OCI_INVALID_CONFIG", { config: { rootfs: { diff_ids: [] } } }],
    ["OCI_INVALID_CONFIG", { config: { config: { Env: 1 } } }],
    ["OCI_NO_PLATFORM_MATCH", { platform: arm64 }],
    ["OCI_TOO_MANY_LAYERS", { tars: Array.from({ length: 1001 }, () => new Uint8Array(1)) }],
  ] as const)("with %s: %j", async (code, parts) => {
    const store = await openStore();
    const { folder } = await layoutWith(parts as ImageParts);
    await expectCode(store.pull(`oci:${folder}:v1`), code);
    expect(await store.list()).toEqual([]);
  });

  test("with more layers than the store's limit, and not with as many", async () => {
    const { folder } = await layoutWith({ tars: [1, 2, 3].map((size) => new Uint8Array(size)) });
    const open = async (maxLayers: number) =>
      ImageStore.open(join(await temporaryFolder(), "images"), {
        platform: amd64,
        limits: { maxLayers },
      });
    const error = await expectCode((await open(2)).pull(`oci:${folder}:v1`), "OCI_TOO_MANY_LAYERS");
    expect(error.message).toContain("it has 3 layers, the limit is 2");
    expect((await (await open(3)).pull(`oci:${folder}:v1`)).layers).toHaveLength(3);
  });

  test("when it is an artifact", async () => {
    const store = await openStore();
    const target = new MemoryTarget();
    const config = { mediaType: mediaTypes.ociEmpty, digest: digestOf(encodeJson({})), size: 2 };
    const root = await addImage(target, {
      manifest: { config, artifactType: "application/sbom", layers: [] },
    });
    await target.push(config, {
      open: async () =>
        (async function* () {
          yield encodeJson({});
        })(),
    });
    await target.tag(root, "v1");
    const folder = join(await temporaryFolder(), "layout");
    await copy(target, "v1", await OciLayout.ensure(folder));
    const error = await expectCode(store.pull(`oci:${folder}:v1`), "OCI_NOT_AN_IMAGE");
    expect(error.message).toContain("application/sbom");
  });

  test("when its config names another platform, unless it is asked for", async () => {
    const store = await openStore();
    const { folder } = await layoutWith({ platform: arm64 });
    const image = await store.pull(`oci:${folder}:v1`, { platform: arm64 });
    expect(image.platform).toEqual(arm64);
    const silent = await layoutWith({ platform: { os: "", architecture: "" } });
    await store.pull(`oci:${silent.folder}:v1`);
  });
});

describe("pulling from a registry", () => {
  async function pulled(policy?: PullOptions["policy"]) {
    const store = await openStore();
    const { target, root } = await taggedImage();
    const registry = await registryOf(target);
    const reference = `${registry.host}/app:v1`;
    const options: PullOptions = policy === undefined ? {} : { policy };
    const image = await store.pull(reference, options);
    const requests = registry.seen.splice(0);
    return { store, registry, reference, image, root, requests };
  }

  test("takes one request for the manifest, the config and each layer", async () => {
    const { requests, image, root } = await pulled();
    expect(requests.map(({ method }) => method)).toEqual(["GET", "GET", "GET", "GET"]);
    expect(image.digest).toBe(root.digest);
  });

  test("asks nothing for an image that is there", async () => {
    const { store, registry, reference, image } = await pulled();
    expect(await store.pull(reference)).toEqual(image);
    expect(await store.pull(reference, { policy: "never" })).toEqual(image);
    const pinned = `${registry.host}/app@${image.digest}`;
    const elsewhere = `${registry.host}/other@${image.digest}`;
    registry.seen.splice(0);
    for (const policy of ["missing", "always"] as const) {
      expect(await store.pull(pinned, { policy })).toEqual({ ...image, reference: pinned });
    }
    expect((await store.pull(elsewhere, { policy: "never" })).reference).toBe(elsewhere);
    expect(registry.seen).toEqual([]);
    // Both names count from now on.
    await store.remove(reference);
    await store.remove(pinned);
    const { removed } = await store.collectGarbage({ nowMs: Date.now() + 1e9 });
    expect(removed).toEqual([]);
    const [layer] = image.layers as [(typeof image.layers)[0]];
    for (const digest of [digestOf(noise(10, 7)), layer.descriptor.digest]) {
      const unknown = `${registry.host}/app@${digest}`;
      await expectCode(store.pull(unknown, { policy: "never" }), "OCI_IMAGE_NOT_FOUND");
    }
    expect(registry.seen).toEqual([]);
  });

  test("with the policy always asks once and sees a tag that moved", async () => {
    const { store, registry, reference, image } = await pulled("always");
    expect(await store.pull(reference, { policy: "always" })).toEqual(image);
    expect(registry.seen.map(({ method }) => method)).toEqual(["HEAD"]);
    const moved = await taggedImage({ tars: [noise(77, 5)] });
    registry.target = moved.target;
    expect((await store.pull(reference)).digest).toBe(image.digest);
    expect((await store.pull(reference, { policy: "always" })).digest).toBe(moved.root.digest);
    expect((await store.get(reference)).digest).toBe(moved.root.digest);
    expect((await store.get(image.digest)).digest).toBe(image.digest);
  });

  test("with the policy never fails for an image that is not there", async () => {
    const store = await openStore();
    const error = await expectCode(
      store.pull("127.0.0.1:9/app", { policy: "never" }),
      "OCI_IMAGE_NOT_FOUND",
    );
    expect(error.hint).toBe("pull it first: box pull 127.0.0.1:9/app:latest");
  });

  test("fetches again what the store lost", async () => {
    const { store, registry, reference, image } = await pulled();
    const [layer] = image.layers;
    await rm(store.layout.blobPath((layer as (typeof image.layers)[0]).descriptor.digest));
    await expectCode(store.get(reference), "OCI_IMAGE_INCOMPLETE");
    await store.pull(reference);
    expect(registry.seen.length).toBeGreaterThan(0);
    expect((await store.get(reference)).digest).toBe(image.digest);
  });

  test("brings only the wanted platform of an index, and another one later", async () => {
    const store = await openStore();
    const target = new MemoryTarget();
    const one = { ...(await addImage(target, { tars: [noise(5, 1)] })), platform: amd64 };
    const two = {
      ...(await addImage(target, { tars: [noise(5, 2)], platform: arm64 })),
      platform: arm64,
    };
    const root = await addIndex(target, [one, two]);
    await target.tag(root, "v1");
    const registry = await registryOf(target);
    const reference = `${registry.host}/app:v1`;
    const image = await store.pull(reference);
    expect(image).toMatchObject({ digest: one.digest, root: { digest: root.digest } });
    expect(await store.layout.exists(two)).toBe(false);
    expect((await store.pull(reference, { platform: arm64 })).digest).toBe(two.digest);
    expect((await store.pull(reference)).digest).toBe(one.digest);
    const s390x = { os: "linux", architecture: "s390x" };
    const error = await expectCode(
      store.pull(reference, { platform: s390x }),
      "OCI_NO_PLATFORM_MATCH",
    );
    expect(error.details["available"]).toEqual(["linux/amd64", "linux/arm64"]);
  });

  test("fails with the registry's code and leaves nothing behind", async () => {
    const store = await openStore();
    const registry = await registryOf(new MemoryTarget());
    await expectCode(store.pull(`${registry.host}/app:v1`), "OCI_NOT_FOUND");
    await expectCode(store.pull("127.0.0.1:9/app"), "ORAS_NETWORK");
    expect(await store.list()).toEqual([]);
  });

  test("tells about failures that are tried again", async () => {
    const { target } = await taggedImage();
    const inner = await registryOf(target);
    let isFirst = true;
    const flaky = await scriptedServer(async (request, response) => {
      if (isFirst) {
        isFirst = false;
        response.writeHead(503);
        return response.end();
      }
      const reply = await fetch(`${inner.origin}${request.url}`);
      response.writeHead(200, { "content-type": reply.headers.get("content-type") ?? "" });
      return response.end(Buffer.from(await reply.arrayBuffer()));
    });
    const pacing = { now: () => 0, random: () => 0, sleep: async () => {} };
    const store = await ImageStore.open(join(await temporaryFolder(), "s"), {
      platform: amd64,
      registry: { pacing },
    });
    const codes: string[] = [];
    await store.pull(`${flaky.host}/app:v1`, {
      onEvent: (event) => event.type === "retry" && codes.push(event.code),
    });
    expect(codes).toEqual(["ORAS_HTTP_STATUS"]);
  });

  test("needs --insecure for plain HTTP elsewhere", async () => {
    const { target } = await taggedImage();
    const registry = await registryOf(target);
    const port = registry.host.split(":")[1];
    const secure = await ImageStore.open(join(await temporaryFolder(), "s"), {
      platform: amd64,
      registry: {
        retry: { attempts: 1 },
        hosts: { [`localhost:${port}`]: { scheme: "https" } },
      },
    });
    const reference = `localhost:${port}/app:v1`;
    await expectCode(secure.pull(reference), "ORAS_TLS");
    await secure.pull(reference, { insecureHosts: [`localhost:${port}`] });
  });
});

describe("several at once", () => {
  test("pull one image and download it once", async () => {
    const { target, root } = await taggedImage({
      tars: [noise(500_000, 3), noise(500_000, 4)],
      compress: (tar) => gzipSync(tar),
    });
    const registry = await registryOf(target);
    const folder = join(await temporaryFolder(), "images");
    const images = await Promise.all(
      [1, 2, 3, 4].map(async () => {
        const store = await ImageStore.open(folder, { platform: amd64 });
        return store.pull(`${registry.host}/app:v1`);
      }),
    );
    expect(new Set(images.map(({ digest }) => digest))).toEqual(new Set([root.digest]));
    const [image] = images;
    for (const { descriptor } of image?.layers ?? []) {
      const fetches = registry.seen.filter(({ path }) => path.endsWith(descriptor.digest));
      expect(fetches).toHaveLength(1);
    }
  });
});

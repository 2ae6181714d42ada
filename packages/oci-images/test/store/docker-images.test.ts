import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ImageStore } from "@box/oci-images";
import {
  copy,
  type Descriptor,
  digestOf,
  MemoryTarget,
  mediaTypes,
  OciLayout,
  type Platform,
  RegistryClient,
  RemoteRepository,
} from "@box/oras";
import { serveRegistry } from "@box/oras/registry-server";
import { drain } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { add, encodeJson, noise } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const arm = { os: "linux", architecture: "arm", variant: "v7" };
const tar = noise(5000, 1);

/** An image as Docker writes it: schema 2, with nulls in its config. */
async function addDockerImage(target: MemoryTarget, platform: Platform): Promise<Descriptor> {
  const layer = await add(target, mediaTypes.dockerLayerGzip, new Uint8Array(gzipSync(tar)));
  const config = await add(
    target,
    mediaTypes.dockerConfig,
    encodeJson({
      ...platform,
      docker_version: "20.10.24",
      container_config: { Hostname: "x" },
      config: { Env: ["A=b"], Cmd: ["sh"], Entrypoint: null, Labels: null, Volumes: null },
      history: [{ created_by: "ADD file:x in /" }, { created_by: "CMD", empty_layer: true }],
      rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
    }),
  );
  const mediaType = mediaTypes.dockerManifest;
  const manifest = { schemaVersion: 2, mediaType, config, layers: [layer] };
  return { ...(await add(target, mediaType, encodeJson(manifest))), platform };
}

/** A manifest list of two platforms. */
async function addDockerList(target: MemoryTarget): Promise<Descriptor> {
  const manifests = [await addDockerImage(target, arm), await addDockerImage(target, amd64)];
  const mediaType = mediaTypes.dockerList;
  return add(target, mediaType, encodeJson({ schemaVersion: 2, mediaType, manifests }));
}

describe.each([
  ["manifest", (target: MemoryTarget) => addDockerImage(target, amd64)],
  ["manifest list", addDockerList],
] as const)("Docker's schema 2, a %s,", (_name, make) => {
  test.each(["a registry", "a layout"])(
    "is pulled from %s and pushed on as it is",
    async (from) => {
      const folder = await temporaryFolder();
      const target = new MemoryTarget();
      const root = await make(target);
      await target.tag(root, "v1");
      await using registry = await serveRegistry();
      await using client = new RegistryClient();
      const remote = new RemoteRepository(client, registry.host, "team/app");
      const layout = await OciLayout.ensure(join(folder, "layout"));
      await copy(target, "v1", from === "a registry" ? remote : layout);
      const store = await ImageStore.open(join(folder, "store"), { platform: amd64 });
      const reference =
        from === "a registry" ? `${registry.host}/team/app:v1` : `oci:${folder}/layout:v1`;

      const image = await store.pull(reference);
      expect(image.root).toEqual({
        mediaType: root.mediaType,
        digest: root.digest,
        size: root.size,
      });
      expect(image.descriptor.mediaType).toBe(mediaTypes.dockerManifest);
      expect(image.platform).toEqual(amd64);
      expect(image.config).toMatchObject({ env: ["A=b"], cmd: ["sh"], entrypoint: [], labels: {} });
      expect(image.config.history).toEqual([
        { createdBy: "ADD file:x in /", isEmptyLayer: false },
        { createdBy: "CMD", isEmptyLayer: true },
      ]);
      const [layer] = image.layers;
      if (layer === undefined) throw new Error("the image has a layer");
      expect(Buffer.compare(await drain(store.openLayer(layer)), tar)).toBe(0);
      const kept = await readFile(store.layout.blobPath(root.digest));
      expect(Buffer.compare(kept, await drain(target.fetch(root)))).toBe(0);
      expect(await store.pull(reference, { policy: "always" })).toEqual(image);

      const warnings: string[] = [];
      const pushed = await store.push(reference, `${registry.host}/other/app:v2`, {
        onEvent: (event) => {
          if (event.type === "warning") warnings.push(event.message);
        },
      });
      const isWhole = root.mediaType === mediaTypes.dockerManifest;
      expect(warnings).toEqual(
        isWhole ? [] : [expect.stringMatching(/^only the manifest for linux\/amd64, sha256:/)],
      );
      const other = new RemoteRepository(client, registry.host, "other/app");
      const there = await other.resolve("v2");
      expect(there.digest).toBe(pushed.digest);
      // Of a list only one platform is here: that manifest goes, as it is.
      expect(there).toMatchObject({ digest: image.digest, mediaType: mediaTypes.dockerManifest });
    },
  );
});

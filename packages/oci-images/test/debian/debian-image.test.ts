import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Image, ImageStore } from "@box/oci-images";
import { type Credentials, OciLayout, type RegistryClientOptions } from "@box/oras";
import { serveRegistry } from "@box/oras/registry-server";
import {
  annOnly,
  certificateFolder,
  debianImage,
  dockerRegistry,
  run,
  selfSigned,
  tokenServer,
} from "@box/test-support";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../temporary-folder.ts";

let source: Awaited<ReturnType<typeof debianImage>>;
beforeAll(async () => {
  source = await debianImage();
}, 1_200_000);

/** A registry that is up, and how to reach it. */
interface Reached {
  readonly host: string;
  readonly registry: RegistryClientOptions;
  /** The same for skopeo: as the source and as the destination. */
  readonly from: readonly string[];
  readonly to: readonly string[];
}

const ann: Credentials = { type: "password", username: "ann", password: "s3cret" };

function reached(host: string, registry: RegistryClientOptions, certificates?: string): Reached {
  const words = (side: string): string[] => [
    certificates === undefined
      ? `--${side}-tls-verify=false`
      : `--${side}-cert-dir=${certificates}`,
    ...(registry.credentials === undefined ? [] : [`--${side}-creds=ann:s3cret`]),
  ];
  return { host, registry, from: words("src"), to: words("dest") };
}

const registries: Record<string, () => Promise<Reached>> = {
  "Debian's registry": async () => reached(await dockerRegistry(), {}),
  "Debian's registry with htpasswd": async () => {
    const host = await dockerRegistry({ auth: await annOnly() });
    return reached(host, { credentials: async () => ann });
  },
  "Debian's registry over TLS": async () => {
    const tls = selfSigned();
    const host = await dockerRegistry({ tls });
    const hosts = { [host]: { scheme: "https", ca: tls.cert } } as const;
    return reached(host, { hosts }, await certificateFolder(tls));
  },
  "Debian's registry with tokens": async () => {
    const signer = selfSigned();
    const issuer = "the token server of the tests";
    const user = { user: "ann", password: "s3cret", knowsForm: true };
    const tokens = await tokenServer({ signer, issuer, ...user });
    const rootcertbundle = join(await certificateFolder(signer), "ca.crt");
    const realm = `${tokens.origin}/token`;
    const token = { realm, service: "registry.test", issuer, rootcertbundle };
    const host = await dockerRegistry({ auth: { token } });
    return reached(host, { credentials: async () => ann });
  },
  "our registry": async () => {
    const served = await serveRegistry();
    onTestFinished(() => served.close());
    return reached(served.host, {});
  },
};

/** Digest of each blob file by its name, by other means than the store's. */
async function blobsOf(layout: string): Promise<ReadonlyMap<string, string>> {
  const blobs = new Map<string, string>();
  const folder = join(layout, "blobs", "sha256");
  for (const name of (await readdir(folder)).sort()) {
    const hash = createHash("sha256");
    await pipeline(createReadStream(join(folder, name)), hash);
    blobs.set(name, hash.digest("hex"));
  }
  return blobs;
}

async function readLayers(store: ImageStore, image: Image): Promise<number> {
  let bytes = 0;
  for (const layer of image.layers) {
    for await (const chunk of store.openLayer(layer)) bytes += chunk.byteLength;
  }
  return bytes;
}

describe.each(Object.entries(registries))("an image of Debian in %s", (_name, start) => {
  test("that we push is pulled by us and by skopeo, the same bytes", async () => {
    const { host, registry, from } = await start();
    const folder = await temporaryFolder();
    const first = await ImageStore.open(join(folder, "first"), { registry });
    const image = await first.pull(`oci:${source.layout}:${source.tag}`);
    expect(image.layers.length).toBeGreaterThanOrEqual(4);
    const reference = `${host}/library/debian:v1`;
    await first.push(image.reference, reference);

    const store = await ImageStore.open(join(folder, "ours"), { registry });
    const pulled = await store.pull(reference);
    expect(pulled.digest).toBe(image.digest);
    expect(await readLayers(store, pulled)).toBeGreaterThan(100_000_000);
    const theirs = `oci:${folder}/theirs:v1`;
    await run("skopeo", ["--insecure-policy", "copy", ...from, `docker://${reference}`, theirs]);
    const ours = await blobsOf(join(folder, "ours"));
    expect([...ours]).toEqual([...(await blobsOf(join(folder, "theirs")))]);
    for (const [name, found] of ours) expect(found).toBe(name);
  });

  test("that skopeo pushes is pulled by us", async () => {
    const { host, registry, to } = await start();
    const folder = await temporaryFolder();
    const reference = `${host}/library/debian:v2`;
    const layout = `oci:${source.layout}:${source.tag}`;
    const push = ["--insecure-policy", "copy", ...to, layout, `docker://${reference}`];
    await run("skopeo", push);
    const store = await ImageStore.open(join(folder, "ours"), { registry });
    const image = await store.pull(reference);
    const original = await (await OciLayout.open(source.layout)).resolve(source.tag);
    expect(image.digest).toBe(original.digest);
    expect(await store.verify()).toEqual([]);
  });
});

describe("an image of Debian", () => {
  test.each(["oci-archive", "docker-archive", "docker-archive-legacy"] as const)(
    "exported as %s is read by skopeo, and by us again",
    async (format) => {
      const folder = await temporaryFolder();
      const store = await ImageStore.open(join(folder, "store"));
      const image = await store.pull(`oci:${source.layout}:${source.tag}`);
      const name = "registry.test/debian:v1";
      const path = join(folder, "export.tar");
      const chunks = await store.export(image.reference, { format, name });
      await pipeline(chunks, createWriteStream(path));
      const tag = format === "oci-archive" ? `oci-archive:${path}:v1` : `docker-archive:${path}`;
      await run("skopeo", ["--insecure-policy", "copy", tag, `oci:${folder}/theirs:v1`]);
      const back = await ImageStore.open(join(folder, "back"));
      const diffIds = image.layers.map(({ diffId }) => diffId);
      const [again] = await back.import(path);
      for (const one of [again, await back.pull(`oci:${folder}/theirs:v1`)]) {
        expect(one?.layers.map(({ diffId }) => diffId)).toEqual(diffIds);
        if (one !== undefined) await readLayers(back, one);
      }
    },
  );

  test("pulled into a store is unpacked by umoci to what its last layer left", async () => {
    const folder = await temporaryFolder();
    const store = await ImageStore.open(join(folder, "store"));
    const image = await store.pull(`oci:${source.layout}:${source.tag}`);
    await store.push(image.reference, `oci:${folder}/pushed:v1`);
    const bundle = join(folder, "bundle");
    await run("umoci", ["unpack", "--image", `${folder}/pushed:v1`, bundle]);
    const share = await readdir(join(bundle, "rootfs/usr/share"));
    expect(share).toContain("zoneinfo");
    expect(share).not.toContain("doc");
    const list = await run("chroot", [join(bundle, "rootfs"), "dpkg-query", "--list", "nano"]);
    expect(list).toMatch(/^ii +nano/m);
  });
});

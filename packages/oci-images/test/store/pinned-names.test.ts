import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ImageStore } from "@box/oci-images";
import { copy, type Descriptor, type Digest, digestOf, MemoryTarget, OciLayout } from "@box/oras";
import { scriptedServer } from "@box/test-support";
import { expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { addImage } from "../sample-image.ts";
import { tarOf } from "../tar-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const platform = { os: "linux", architecture: "amd64" };
const wrong: Digest = `sha256:${"a".repeat(64)}`;

async function openStore(): Promise<ImageStore> {
  const folder = join(await temporaryFolder(), "store");
  return ImageStore.open(folder, { platform, registry: { retry: { attempts: 1 } } });
}

/** A layout whose only entry has one name, or two. */
async function layoutWith(
  full: string,
  tag = full,
): Promise<{ layout: OciLayout; root: Descriptor }> {
  const target = new MemoryTarget();
  const root = await addImage(target);
  await target.tag(root, "v1");
  const layout = await OciLayout.ensure(join(await temporaryFolder(), "layout"));
  await copy(target, "v1", layout);
  await rename(layout, full, tag);
  return { layout, root };
}

/** Calls all entries of a layout by one other name, or by two. */
async function rename(layout: OciLayout, full: string, tag = full): Promise<void> {
  const { manifests } = await layout.index();
  const annotations = {
    "io.containerd.image.name": full,
    "org.opencontainers.image.ref.name": tag,
  };
  const entries = manifests.map((one) => ({ ...one, annotations }));
  const index = { schemaVersion: 2, manifests: entries };
  await writeFile(join(layout.directory, "index.json"), JSON.stringify(index));
}

async function dockerArchive(tag: string): Promise<string> {
  const layer = "layer";
  const rootfs = { type: "layers", diff_ids: [digestOf(new TextEncoder().encode(layer))] };
  const listing = [{ Config: "config.json", RepoTags: [tag], Layers: ["layer.tar"] }];
  const path = join(await temporaryFolder(), "image.tar");
  const bytes = tarOf([
    ["layer.tar", layer],
    ["config.json", JSON.stringify({ ...platform, rootfs })],
    ["manifest.json", JSON.stringify(listing)],
  ]);
  await writeFile(path, bytes);
  return path;
}

test("an import keeps no name that pins another digest", async () => {
  const store = await openStore();
  const { layout, root } = await layoutWith(`example.com/db:v1@${wrong}`, "example.com/db:v1");
  const right = `example.com/db@${root.digest}`;
  await layout.tag(root, right);
  const images = await store.import(layout);
  expect(images.map(({ reference }) => reference)).toEqual(["example.com/db:v1", right]);
});

test("an import of nothing but such names is refused, until another is given", async () => {
  const store = await openStore();
  const { layout, root } = await layoutWith(`example.com/db@${wrong}`);
  const archive = await dockerArchive(`app@${wrong}`);
  for (const input of [layout, archive]) {
    await expectCode(store.import(input), "OCI_AMBIGUOUS_REFERENCE");
    await expectCode(store.import(input, { name: `app@${wrong}` }), "OCI_DIGEST_MISMATCH");
    expect(await store.list()).toEqual([]);
  }
  const [image] = await store.import(layout, { name: `app@${root.digest}` });
  expect(image?.digest).toBe(root.digest);
});

test("a layout's or an archive's image is not pulled by a digest that only its name has", async () => {
  const store = await openStore();
  const { layout } = await layoutWith(wrong);
  await expectCode(store.pull(`oci:${layout.directory}@${wrong}`), "OCI_NOT_FOUND");
  const archive = await dockerArchive(`app@${wrong}`);
  const pulling = store.pull(`docker-archive:${archive}:app@${wrong}`);
  await expectCode(pulling, "OCI_DIGEST_MISMATCH");
  expect(await store.list()).toEqual([]);
});

test("a name with another digest that a store holds already is no image's, whatever the policy", async () => {
  const store = await openStore();
  const server = await scriptedServer((_request, response) => {
    response.writeHead(404);
    response.end();
  });
  const { layout } = await layoutWith("example.com/db:v1");
  await store.import(layout);
  const pinned = `${server.host}/db@${wrong}`;
  await rename(store.layout, pinned);
  await expectCode(store.get(pinned), "OCI_IMAGE_NOT_FOUND");
  await expectCode(store.pull(pinned, { policy: "never" }), "OCI_IMAGE_NOT_FOUND");
  for (const policy of ["missing", "always"] as const) {
    await expectCode(store.pull(pinned, { policy }), "OCI_NOT_FOUND");
  }
  expect(server.seen.length).toBeGreaterThan(0);
});

test("an image gets no name that pins another digest", async () => {
  const store = await openStore();
  const { layout, root } = await layoutWith("example.com/db:v1");
  await store.import(layout);
  const before = await readFile(join(store.layout.directory, "index.json"), "utf8");
  const tagging = store.tag("example.com/db:v1", `example.com/db@${wrong}`);
  await expectCode(tagging, "OCI_DIGEST_MISMATCH");
  expect(await readFile(join(store.layout.directory, "index.json"), "utf8")).toBe(before);
  await store.tag("example.com/db:v1", `example.com/db@${root.digest}`);
  expect((await store.get(`example.com/db@${root.digest}`)).digest).toBe(root.digest);
});

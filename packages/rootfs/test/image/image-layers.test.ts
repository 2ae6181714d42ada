import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ImageStore } from "@box/oci-images";
import { guestImageOf, layersOfImage, mergeLayers } from "@box/rootfs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { archiveOf, layerOfArchive, listing, merge } from "../merge/layers.ts";
import { writeOciLayout } from "../merge/oci-layout.ts";
import { sampleLayers } from "../merge/sample-layers.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "box-image-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("layersOfImage reads the layers of a stored image, lowest first", async () => {
  const archives = sampleLayers.map(archiveOf);
  await writeOciLayout(join(folder, "layout"), archives);
  const store = await ImageStore.open(join(folder, "store"));
  const image = await store.pull(`oci:${join(folder, "layout")}:latest`);
  const layers = layersOfImage(store, image);
  const expected = await merge(...archives.map((archive) => layerOfArchive(archive)));
  expect(listing((await mergeLayers(layers)).tree)).toEqual(listing(expected.tree));
  expect(layers.map((layer) => layer.diffId)).toEqual(image.config.diffIds);
  const guest = guestImageOf(store, image);
  expect(guest).toMatchObject({ digest: image.digest, source: image.reference, env: [] });
  expect(guest.layers).toHaveLength(layers.length);
});

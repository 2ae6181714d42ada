import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryFile } from "@box/io";
import { ImageStore } from "@box/oci-images";
import {
  buildRootfs,
  guestImageOf,
  layersOfImage,
  mergeLayers,
  type RootfsWarning,
} from "@box/rootfs";
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

test.each(["zstd", "gzip"])(
  "layers that are not compressed, and labelled %s, are told once each",
  async (label) => {
    const type = `application/vnd.oci.image.layer.v1.tar+${label}`;
    await writeOciLayout(join(folder, "layout"), sampleLayers.map(archiveOf), type);
    const store = await ImageStore.open(join(folder, "store"));
    const image = await store.pull(`oci:${join(folder, "layout")}:latest`);
    const warnings: RootfsWarning[] = [];
    const onWarning = (warning: RootfsWarning) => warnings.push(warning);
    const recipe = { layers: layersOfImage(store, image) };
    await buildRootfs(recipe, new MemoryFile(), { onWarning, scratch: { directory: folder } });
    expect(warnings.filter(({ code }) => code === "ROOTFS_LAYER_MISLABELLED")).toEqual(
      image.layers.map(({ diffId, descriptor }) => ({
        code: "ROOTFS_LAYER_MISLABELLED",
        message: `layer ${descriptor.digest} is not compressed, its media type "${type}" says ${label}`,
        diffId,
      })),
    );
  },
);

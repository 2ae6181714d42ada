import {
  bytesSource,
  type Descriptor,
  type Digest,
  describe,
  mediaTypes,
  type OciLayout,
  type OperationOptions,
} from "@box/oras";
import type { Image, ImageLayer } from "../image/image.ts";
import { openLayer } from "../layer/open-layer.ts";
import type { ArchivedBlob, ArchivedParts } from "./archived-blob.ts";

/**
 * An image whose layers are unpacked on their way, because old versions of Docker want that in archives.
 *
 * @returns Its parts, and its manifest last: that of the same image with layers that are not compressed.
 */
export async function unpackedParts(
  layout: OciLayout,
  image: Image,
  options: OperationOptions,
): Promise<ArchivedParts> {
  const sizes = new Map<Digest, number>();
  for (const layer of image.layers) {
    if (sizes.has(layer.diffId)) continue;
    sizes.set(layer.diffId, await unpackedSize(layout, layer, options));
  }
  const { digest, size } = image.manifest.config;
  const config = { mediaType: mediaTypes.ociConfig, digest, size };
  const layers = image.layers.map((layer) => ({
    descriptor: {
      mediaType: mediaTypes.ociLayer,
      digest: layer.diffId,
      size: sizes.get(layer.diffId) ?? 0,
    },
    stored: layer.descriptor.digest,
    open: async () => openLayer(layout, layer, { ...options, ownsStoredChunks: true }),
  }));
  const root = unpackedManifest(config, layers, image);
  const readConfig = () => layout.fetch(image.manifest.config, { ...options, verify: false });
  return { parts: [{ descriptor: config, stored: digest, open: readConfig }, ...layers], root };
}

function unpackedManifest(
  config: Descriptor,
  layers: readonly ArchivedBlob[],
  { platform, digest }: Image,
): ArchivedBlob {
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config,
    layers: layers.map(({ descriptor }) => descriptor),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  return {
    descriptor: describe(mediaTypes.ociManifest, bytes, { platform }),
    stored: digest,
    open: () => bytesSource(bytes).open(0),
  };
}

async function unpackedSize(
  layout: OciLayout,
  layer: ImageLayer,
  { signal }: OperationOptions,
): Promise<number> {
  let size = 0;
  const memory = { ownsStoredChunks: true, hasTransientChunks: true };
  for await (const chunk of openLayer(layout, layer, { signal, ...memory })) {
    size += chunk.byteLength;
  }
  return size;
}

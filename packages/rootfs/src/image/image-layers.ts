import type { Image, ImageLayer, ImageStore } from "@box/oci-images";
import type { GuestImage } from "../guest/guest-rootfs.ts";
import type { LayerSource } from "../merge/layer-source.ts";
import type { RootfsWarning } from "../merge/warning.ts";

/**
 * The layers of a stored image, lowest first. Each reading verifies the diffID, and the blob's digest where that fails, so
 * that a damaged blob is told from a wrong image.
 */
export function layersOfImage(
  store: Pick<ImageStore, "openLayer" | "verifyLayer">,
  image: Image,
): LayerSource[] {
  return image.layers.map((layer) => ({
    diffId: layer.diffId,
    open: ({ isSecondReading: _, onWarning, ...options }) =>
      store.openLayer(layer, {
        ...options,
        hasTransientChunks: true,
        hashesContentOnly: true,
        onMislabelled: (claimed, found) => onWarning?.(mislabelled(layer, claimed, found)),
      }),
    verify: (options) => store.verifyLayer(layer, options),
  }));
}

function mislabelled(
  { diffId, descriptor }: ImageLayer,
  claimed: string,
  found: string,
): RootfsWarning {
  const [says, is] = [claimed, found].map((name) => (name === "none" ? "not compressed" : name));
  return {
    code: "ROOTFS_LAYER_MISLABELLED",
    message: `layer ${descriptor.digest} is ${is}, its media type ${JSON.stringify(descriptor.mediaType)} says ${says}`,
    diffId,
  };
}

/** A stored image as one that a guest rootfs can be made from. */
export function guestImageOf(
  store: Pick<ImageStore, "openLayer" | "verifyLayer">,
  image: Image,
): GuestImage {
  return {
    digest: image.digest,
    source: image.reference,
    env: image.config.env,
    layers: layersOfImage(store, image),
  };
}

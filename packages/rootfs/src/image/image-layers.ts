import type { Image, ImageStore } from "@box/oci-images";
import type { GuestImage } from "../guest/guest-rootfs.ts";
import type { LayerSource } from "../merge/layer-source.ts";

/** The layers of a stored image, lowest first. Each reading verifies the blob's digest and the diffID. */
export function layersOfImage(store: Pick<ImageStore, "openLayer">, image: Image): LayerSource[] {
  return image.layers.map((layer) => ({
    diffId: layer.diffId,
    open: ({ isSecondReading = false, ...options }) =>
      store.openLayer(layer, {
        ...options,
        hasTransientChunks: true,
        isVerified: isSecondReading,
      }),
  }));
}

/** A stored image as one that a guest rootfs can be made from. */
export function guestImageOf(store: Pick<ImageStore, "openLayer">, image: Image): GuestImage {
  return {
    digest: image.digest,
    source: image.reference,
    env: image.config.env,
    layers: layersOfImage(store, image),
  };
}

import { isBoxError } from "@box/errors";
import type { OciLayout, OperationOptions } from "@box/oras";
import { ImageError } from "../errors.ts";
import type { Image } from "../image/image.ts";

/**
 * Keeps an image's content until the lease is disposed of or this process dies.
 *
 * @throws ImageError `OCI_IMAGE_INCOMPLETE`; IoError.
 */
export async function leaseImage(
  layout: OciLayout,
  image: Image,
  options: OperationOptions = {},
): Promise<AsyncDisposable> {
  const lease = await layout.keep([image.root, image.descriptor], options);
  try {
    // A collection of garbage may have taken it before.
    await requireWhole(layout, image);
    return lease;
  } catch (error) {
    await lease[Symbol.asyncDispose]();
    throw error;
  }
}

/** {@link leaseImage}, or nothing where a lease cannot be written: images are read from read-only stores too. */
export async function leaseIfWritable(
  layout: OciLayout,
  image: Image,
  options: OperationOptions = {},
): Promise<AsyncDisposable | null> {
  try {
    return await leaseImage(layout, image, options);
  } catch (error) {
    if (isBoxError(error) && error.code.startsWith("IO_")) return null;
    throw error;
  }
}

/** @throws ImageError `OCI_IMAGE_INCOMPLETE` when a part of an image is not there. */
export async function requireWhole(layout: OciLayout, image: Image): Promise<void> {
  const { root, descriptor: own, manifest } = image;
  for (const descriptor of [root, own, manifest.config, ...manifest.layers]) {
    if (await layout.exists(descriptor)) continue;
    throw new ImageError({
      code: "OCI_IMAGE_INCOMPLETE",
      message: `cannot use ${image.reference}: the store lacks ${descriptor.digest}`,
      details: { reference: image.reference, digest: descriptor.digest },
      hint: "pull the image again",
    });
  }
}

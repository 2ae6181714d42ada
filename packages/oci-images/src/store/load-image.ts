import { type Descriptor, fetchBytes, type OciLayout } from "@box/oras";
import {
  bareDescriptor,
  defaultImageLimits,
  type Image,
  pairLayers,
  parseConfigOf,
  validateImageManifest,
} from "../image/image.ts";
import { requirePlatform } from "../platform/require.ts";
import {
  type ManifestNode,
  readNode,
  type SelectManifestOptions,
  selectManifest,
} from "../platform/select.ts";
import { requireWhole } from "./lease-image.ts";

/**
 * Reads an image of a layout, for one platform.
 *
 * @param options - `what` is the name that it was found by.
 * @throws ImageError `OCI_IMAGE_INCOMPLETE`, `OCI_NO_PLATFORM_MATCH`; OrasError.
 */
export async function loadImage(
  layout: OciLayout,
  root: Descriptor,
  options: SelectManifestOptions,
): Promise<Image> {
  const path = await selectManifest(layout, await readNode(layout, root, options), options);
  const node = path.at(-1);
  if (node === undefined) throw new Error("no manifest was chosen");
  return toImage(layout, root, node, options);
}

/** Reads the image that was fetched, and no other one of its index. */
export async function loadFetched(
  layout: OciLayout,
  root: Descriptor,
  manifest: Descriptor,
  options: SelectManifestOptions,
): Promise<Image> {
  return toImage(layout, root, await readNode(layout, manifest, options), options);
}

async function toImage(
  layout: OciLayout,
  root: Descriptor,
  node: ManifestNode,
  options: SelectManifestOptions,
): Promise<Image> {
  const { what, signal, limits } = options;
  if (node.document.type !== "manifest") throw new Error("no manifest was chosen");
  const { manifest } = node.document;
  validateImageManifest(manifest, what, limits);
  const bytes = await fetchBytes(layout, manifest.config, {
    signal,
    maxBytes: { ...defaultImageLimits, ...limits }.maxManifestBytes,
    what: `config of ${what}`,
  });
  const config = parseConfigOf(manifest, bytes, what);
  requirePlatform(config.platform, options);
  const descriptor = bareDescriptor(node.descriptor);
  const image = {
    reference: what,
    digest: descriptor.digest,
    descriptor,
    root,
    manifest,
    config,
    platform: config.platform,
    layers: pairLayers(manifest, config),
  };
  await requireWhole(layout, image);
  return image;
}

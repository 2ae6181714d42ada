import {
  type Descriptor,
  type Digest,
  defaultLayoutLimits,
  type Manifest,
  mediaTypes,
  type Platform,
} from "@box/oras";
import { ImageError } from "../errors.ts";
import { type ImageConfig, parseImageConfig } from "./config.ts";

/** One layer of an image. */
export interface ImageLayer {
  /** The compressed blob. */
  readonly descriptor: Descriptor;
  /** The digest of the tar archive in it. */
  readonly diffId: Digest;
}

/** One image for one platform, whole in the store. */
export interface Image {
  /** The full reference that it was found by. */
  readonly reference: string;
  /** The digest of its manifest. */
  readonly digest: Digest;
  /** Its manifest's descriptor. */
  readonly descriptor: Descriptor;
  /** What the reference names: an index of several platforms, or the manifest itself. */
  readonly root: Descriptor;
  /** Its manifest. */
  readonly manifest: Manifest;
  /** Its config. */
  readonly config: ImageConfig;
  /** What it runs on. */
  readonly platform: Platform;
  /** Its layers, lowest first. */
  readonly layers: readonly ImageLayer[];
}

/** The types of configs of images; those of artifacts are others. */
export const configTypes: ReadonlySet<string> = new Set([
  mediaTypes.ociConfig,
  mediaTypes.dockerConfig,
]);

/** How large an image may be before it is refused. */
export interface ImageLimits {
  /** The most layers of an image; 1,000 unless given. Real images have fewer than 128. */
  readonly maxLayers: number;
  /** The most indexes on the way to an image's manifest; 8 unless given. */
  readonly maxIndexDepth: number;
  /** The most manifests and configs that are looked at to find the one for a platform; 1,000 unless given. */
  readonly maxCandidates: number;
  /** The most bytes of a manifest, a config, or the listing of a docker archive; 4 MiB unless given. */
  readonly maxManifestBytes: number;
  /** The most bytes of the store's or a layout's `index.json`; 16 MiB unless given. */
  readonly maxIndexBytes: number;
}

/** What {@link ImageLimits} are unless given. */
export const defaultImageLimits: ImageLimits = {
  maxLayers: 1_000,
  maxIndexDepth: 8,
  maxCandidates: 1_000,
  ...defaultLayoutLimits,
};

/**
 * Refuses manifests that are not those of an image that box can use, before anything else is fetched.
 *
 * @param what - The reference, for messages.
 * @throws {@link ImageError} `OCI_NOT_AN_IMAGE`, `OCI_TOO_MANY_LAYERS`, `OCI_FOREIGN_LAYER`, `OCI_ENCRYPTED_LAYER`.
 */
export function validateImageManifest(
  manifest: Manifest,
  what: string,
  limits: Partial<ImageLimits> = {},
): void {
  const { maxLayers } = { ...defaultImageLimits, ...limits };
  if (!configTypes.has(manifest.config.mediaType)) {
    const type = manifest.artifactType ?? manifest.config.mediaType;
    throw new ImageError({
      code: "OCI_NOT_AN_IMAGE",
      message: `cannot use ${what} as an image: it is an artifact of type ${type}`,
      hint: "name an image: an artifact holds no layers of a file system",
    });
  }
  if (manifest.layers.length > maxLayers) {
    throw new ImageError({
      code: "OCI_TOO_MANY_LAYERS",
      message: `cannot use ${what}: it has ${manifest.layers.length} layers, the limit is ${maxLayers}`,
      details: { layers: manifest.layers.length, limit: maxLayers },
    });
  }
  for (const layer of manifest.layers) validateLayer(layer, what);
}

/**
 * Parses an image's config and pairs its layers.
 *
 * @throws {@link ImageError} `OCI_INVALID_CONFIG`, also when it lists other layers than the manifest.
 */
export function parseConfigOf(manifest: Manifest, bytes: Uint8Array, what: string): ImageConfig {
  const config = parseImageConfig(bytes, {
    what: `config of ${what}`,
    // Whoever read them has limited them.
    maxBytes: bytes.byteLength,
  });
  if (config.diffIds.length !== manifest.layers.length) {
    throw new ImageError({
      code: "OCI_INVALID_CONFIG",
      message: `cannot use ${what}: its manifest has ${manifest.layers.length} layers, its config ${config.diffIds.length}`,
    });
  }
  return config;
}

/** The layers of a manifest with the digests that its config names. */
export function pairLayers(manifest: Manifest, config: ImageConfig): readonly ImageLayer[] {
  return manifest.layers.flatMap((descriptor, index) => {
    const diffId = config.diffIds[index];
    return diffId === undefined ? [] : [{ descriptor, diffId }];
  });
}

/** Type, digest and size alone: annotations of an entry belong to the layout that it stands in. */
export function bareDescriptor({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

function validateLayer(layer: Descriptor, what: string): void {
  const { mediaType, digest } = layer;
  if (mediaType.includes("nondistributable") || mediaType.includes(".foreign.")) {
    throw new ImageError({
      code: "OCI_FOREIGN_LAYER",
      message: `cannot use ${what}: layer ${digest} must be fetched from elsewhere, which is refused`,
      details: { digest, mediaType },
    });
  }
  if (mediaType.endsWith("+encrypted")) {
    throw new ImageError({
      code: "OCI_ENCRYPTED_LAYER",
      message: `cannot use ${what}: layer ${digest} is encrypted`,
      details: { digest, mediaType },
    });
  }
}

import {
  type AssembleBootstrapImageOptions,
  assembleBootstrapImage,
  type BootstrapImage,
} from "@box/guest";
import type { LayerSource } from "../merge/layer-source.ts";
import type { GuestImage } from "./guest-rootfs.ts";

/** The parts of a manifest and a config that this module reads. Both were made by `@box/guest` in this process. */
interface BootstrapManifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}
interface BootstrapConfig {
  readonly config: { readonly Env?: readonly string[] };
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

/** The guest image that `@box/guest` assembles in code: the default guest rootfs. Needs no store and no network. */
export function bootstrapGuestImage(options: AssembleBootstrapImageOptions): GuestImage {
  const image = assembleBootstrapImage(options);
  const manifest = parse<BootstrapManifest>(image, image.manifest.digest);
  const { config, rootfs } = parse<BootstrapConfig>(image, manifest.config.digest);
  const layers = manifest.layers.map(
    ({ digest }, index): LayerSource => ({
      diffId: rootfs.diff_ids[index] ?? digest,
      async *open() {
        yield blobOf(image, digest);
      },
    }),
  );
  return {
    digest: image.manifest.digest,
    source: `bootstrap image for ${image.platform.architecture}`,
    env: config.Env ?? [],
    layers,
  };
}

function parse<Value>(image: BootstrapImage, digest: string): Value {
  return JSON.parse(new TextDecoder().decode(blobOf(image, digest))) as Value;
}

function blobOf(image: BootstrapImage, digest: string): Uint8Array {
  const blob = image.blobs.get(digest);
  if (blob === undefined) throw new Error(`the bootstrap image has no blob ${digest}`);
  return blob;
}

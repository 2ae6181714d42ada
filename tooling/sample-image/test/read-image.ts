import { createHash } from "node:crypto";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import type { SampleDescriptor, SampleImage } from "@box/sample-image";

/** An image's configuration, as far as the tests look at it. */
export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly config: { readonly Env: string[]; readonly Entrypoint: string[] };
  readonly rootfs: { readonly diff_ids: string[] };
  readonly history: { readonly empty_layer?: boolean }[];
}

/** The bytes of a blob, as text. */
export function textOf(image: SampleImage, digest: string): string {
  return new TextDecoder().decode(bytesOf(image, digest));
}

/** The bytes of a blob. */
export function bytesOf(image: SampleImage, digest: string): Uint8Array {
  const bytes = image.blobs.get(digest);
  if (bytes === undefined) throw new Error(`the image has no blob ${digest}`);
  return bytes;
}

/** A manifest, its configuration and its layers as tar bytes. */
export function readManifest(
  image: SampleImage,
  { digest }: SampleDescriptor,
): { config: ImageConfig; configDescriptor: SampleDescriptor; layers: SampleDescriptor[] } {
  const manifest = JSON.parse(textOf(image, digest)) as {
    config: SampleDescriptor;
    layers: SampleDescriptor[];
  };
  return {
    config: JSON.parse(textOf(image, manifest.config.digest)) as ImageConfig,
    configDescriptor: manifest.config,
    layers: manifest.layers,
  };
}

/** A layer's tar, decompressed as its media type says. */
export function tarOf(image: SampleImage, { digest, mediaType }: SampleDescriptor): Uint8Array {
  const bytes = bytesOf(image, digest);
  if (mediaType.endsWith("+gzip")) return gunzipSync(bytes);
  return mediaType.endsWith("+zstd") ? zstdDecompressSync(bytes) : bytes;
}

/** The digest of a blob. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

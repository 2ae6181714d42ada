import { gzipSync } from "node:zlib";
import {
  bytesSource,
  type Descriptor,
  type Digest,
  describe,
  digestOf,
  MemoryTarget,
  mediaTypes,
  type Platform,
} from "@box/oras";
import { encodeJson, noise } from "../sample-image.ts";

export const amd64: Platform = { os: "linux", architecture: "amd64" };
const arm64: Platform = { os: "linux", architecture: "arm64" };

const contents: Map<Digest, Uint8Array> = new Map();

function keep(mediaType: string, bytes: Uint8Array): Descriptor {
  const descriptor = describe(mediaType, bytes);
  contents.set(descriptor.digest, bytes);
  return descriptor;
}

/** The archives in the layers. The second one is large enough to be broken off and continued several times. */
export const tars: readonly [Uint8Array, Uint8Array] = [noise(3_000, 1), noise(400_000, 2)];

const [small, large] = tars.map((tar) =>
  keep(mediaTypes.ociLayerGzip, new Uint8Array(gzipSync(tar))),
) as [Descriptor, Descriptor];

export const layers: readonly [Descriptor, Descriptor] = [small, large];
/** The layer that faults are for. */
export const layer: Descriptor = large;

/** A config as it should be, to be changed. */
export const configDocument: Readonly<Record<string, unknown>> = {
  ...amd64,
  config: { Env: ["PATH=/bin"] },
  rootfs: { type: "layers", diff_ids: tars.map((tar) => digestOf(tar)) },
};
export const config: Descriptor = keep(mediaTypes.ociConfig, encodeJson(configDocument));

/** A manifest as it should be, to be changed. */
export const manifestDocument: Readonly<Record<string, unknown>> = {
  schemaVersion: 2,
  mediaType: mediaTypes.ociManifest,
  config,
  layers,
};
export const manifest: Descriptor = keep(mediaTypes.ociManifest, encodeJson(manifestDocument));

/** An image for another machine, that nobody asks for. */
const other = keep(
  mediaTypes.ociManifest,
  encodeJson({ ...manifestDocument, annotations: { for: "another machine" } }),
);

/** An index as it should be, to be changed. */
export const indexDocument: Readonly<Record<string, unknown>> = {
  schemaVersion: 2,
  mediaType: mediaTypes.ociIndex,
  manifests: [
    { ...other, platform: arm64 },
    { ...manifest, platform: amd64 },
  ],
};
export const index: Descriptor = keep(mediaTypes.ociIndex, encodeJson(indexDocument));

/** What a pull brings into the store. */
export const pulled: readonly Descriptor[] = [index, manifest, config, ...layers];

/** The sample as a target, for pushing. */
export async function sampleTarget(): Promise<MemoryTarget> {
  const target = new MemoryTarget();
  for (const descriptor of [...pulled, other]) {
    await target.push(descriptor, bytesSource(contentOf(descriptor)));
  }
  await target.tag(index, "v1");
  return target;
}

/** The right bytes. */
export function contentOf({ digest }: Descriptor): Uint8Array {
  const bytes = contents.get(digest);
  if (bytes === undefined) throw new Error(`the sample has no ${digest}`);
  return bytes;
}

import { gzipSync } from "node:zlib";
import {
  bytesSource,
  type Descriptor,
  describe,
  MemoryTarget,
  mediaTypes,
  type Pusher,
  type Tagger,
} from "@box/oras";

/** An image of two layers in memory. */
export interface SampleImage {
  readonly target: MemoryTarget;
  readonly root: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly manifestBytes: Uint8Array;
}

export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Bytes that do not compress, the same every time. */
export function noise(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = seed >>> 0 || 1;
  for (let index = 0; index < size; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/** Puts bytes into a target and describes them. */
export async function add(
  target: Pusher,
  mediaType: string,
  bytes: Uint8Array,
): Promise<Descriptor> {
  const descriptor = describe(mediaType, bytes);
  await target.push(descriptor, bytesSource(bytes));
  return descriptor;
}

/** Makes an image of tar archives that hold no entry, padded so that the layers differ. */
export async function sampleImage(
  layerSizes: readonly number[] = [10_240, 20_480],
  tag = "v1",
): Promise<SampleImage> {
  const target = new MemoryTarget();
  const tars = layerSizes.map((size) => new Uint8Array(size));
  const layers: Descriptor[] = [];
  for (const tar of tars) layers.push(await add(target, mediaTypes.ociLayerGzip, gzipSync(tar)));
  const config = await add(target, mediaTypes.ociConfig, encodeJson(configFor(tars)));
  const manifestBytes = encodeJson({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config,
    layers,
  });
  const root = await add(target, mediaTypes.ociManifest, manifestBytes);
  await (target as Tagger).tag(root, tag);
  return { target, root, config, layers, manifestBytes };
}

function configFor(tars: readonly Uint8Array[]): unknown {
  return {
    architecture: "amd64",
    os: "linux",
    config: { Env: ["PATH=/bin"] },
    rootfs: { type: "layers", diff_ids: tars.map((tar) => describe("x", tar).digest) },
  };
}

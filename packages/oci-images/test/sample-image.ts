import { gzipSync } from "node:zlib";
import {
  bytesSource,
  type Descriptor,
  describe,
  digestOf,
  type MemoryTarget,
  mediaTypes,
  type Platform,
} from "@box/oras";

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

export async function add(
  target: MemoryTarget,
  mediaType: string,
  bytes: Uint8Array,
  extra: Partial<Descriptor> = {},
): Promise<Descriptor> {
  const descriptor = describe(mediaType, bytes);
  await target.push(descriptor, bytesSource(bytes));
  return { ...descriptor, ...extra };
}

export interface ImageParts {
  readonly platform?: Platform;
  /** Tar archives, lowest first. */
  readonly tars?: readonly Uint8Array[];
  readonly config?: Record<string, unknown>;
  readonly layerType?: string;
  readonly compress?: (tar: Uint8Array) => Uint8Array;
  readonly manifest?: Record<string, unknown>;
}

const defaultTars = [noise(3000, 1), noise(4000, 2)];

/** Puts an image's parts into a target. */
export async function addImage(target: MemoryTarget, parts: ImageParts = {}): Promise<Descriptor> {
  const { platform = { os: "linux", architecture: "amd64" }, tars = defaultTars } = parts;
  const { compress = gzipSync, layerType = mediaTypes.ociLayerGzip } = parts;
  const layers: Descriptor[] = [];
  for (const tar of tars) layers.push(await add(target, layerType, new Uint8Array(compress(tar))));
  const config = await add(
    target,
    mediaTypes.ociConfig,
    encodeJson({
      ...platform,
      config: { Env: ["PATH=/bin"] },
      rootfs: { type: "layers", diff_ids: tars.map((tar) => digestOf(tar)) },
      ...parts.config,
    }),
  );
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config,
    layers,
    ...parts.manifest,
  };
  return add(target, mediaTypes.ociManifest, encodeJson(manifest));
}

export async function addIndex(
  target: MemoryTarget,
  manifests: readonly Descriptor[],
): Promise<Descriptor> {
  const bytes = encodeJson({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
  return add(target, mediaTypes.ociIndex, bytes);
}

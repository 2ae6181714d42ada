import {
  type Descriptor,
  type Digest,
  describe,
  digestAlgorithm,
  digestHex,
  mediaTypes,
  nameAnnotations,
  type OciLayout,
  type OperationOptions,
} from "@box/oras";
import type { Image, ImageLayer } from "../image/image.ts";
import { openLayer } from "../layer/open-layer.ts";
import { type ArchiveMember, folderOf, memberOf, streamTar } from "./tar-stream.ts";

/**
 * A form of archive: a packed image layout, what `docker save` writes now (a layout and `manifest.json`), or what it
 * wrote before version 25.
 */
export type ArchiveFormat = "oci-archive" | "docker-archive" | "docker-archive-legacy";

/** Options of `writeArchive`. */
export interface WriteArchiveOptions extends OperationOptions {
  /** The form; `oci-archive` unless given. */
  readonly format?: ArchiveFormat;
  /** The name that the image has in the archive; none unless given. */
  readonly name?: string;
}

/**
 * Writes one image as an archive, chunk by chunk. The same image gives the same bytes. Layers are verified on their
 * way; in docker archives they are decompressed, because old versions of Docker want that.
 *
 * @throws ImageError and OrasError of damaged layers, from the iteration; the archive is then worthless.
 */
export async function* writeArchive(
  layout: OciLayout,
  image: Image,
  options: WriteArchiveOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { format = "oci-archive" } = options;
  const members =
    format === "oci-archive"
      ? layoutMembers(layout, image, options)
      : await dockerMembers(layout, image, { ...options, format });
  yield* streamTar(members);
}

function layoutMembers(
  layout: OciLayout,
  image: Image,
  options: WriteArchiveOptions,
): ArchiveMember[] {
  const { manifest, descriptor } = image;
  const blobs = [descriptor, manifest.config, ...manifest.layers].map((blob) =>
    blobMember(layout, blob, options),
  );
  return withLayoutFiles(blobs, { ...descriptor, platform: image.platform }, options.name);
}

async function dockerMembers(
  layout: OciLayout,
  image: Image,
  options: WriteArchiveOptions & { readonly format: ArchiveFormat },
): Promise<ArchiveMember[]> {
  const isLegacy = options.format === "docker-archive-legacy";
  const { config } = image.manifest;
  const sizes = new Map<Digest, number>();
  for (const layer of image.layers) {
    if (sizes.has(layer.diffId)) continue;
    sizes.set(layer.diffId, await unpackedSize(layout, layer, options));
  }
  const layerPath = ({ diffId }: ImageLayer): string =>
    isLegacy ? `${digestHex(diffId)}/layer.tar` : blobPath(diffId);
  const layers = image.layers.map((layer) => ({
    path: layerPath(layer),
    size: sizes.get(layer.diffId) ?? 0,
    content: () => openLayer(layout, layer, options),
  }));
  const configPath = isLegacy ? `${digestHex(config.digest)}.json` : blobPath(config.digest);
  const { name } = options;
  const listing = {
    Config: configPath,
    RepoTags: name === undefined ? [] : [name],
    Layers: image.layers.map(layerPath),
  };
  const parts = [
    { ...blobMember(layout, config, options), path: configPath },
    ...layers,
    memberOf("manifest.json", JSON.stringify([listing])),
  ];
  if (isLegacy) return [...uniqueMembers(parts), ...repositoriesMember(image, name)];
  const unpacked = unpackedManifest(image, sizes);
  return withLayoutFiles([...parts, unpacked.member], unpacked.descriptor, name);
}

/** The manifest of the same image with its layers as they are in a docker archive. */
function unpackedManifest(
  image: Image,
  sizes: ReadonlyMap<Digest, number>,
): { readonly member: ArchiveMember; readonly descriptor: Descriptor } {
  const { config } = image.manifest;
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: config.digest, size: config.size },
    layers: image.layers.map(({ diffId }) => ({
      mediaType: mediaTypes.ociLayer,
      digest: diffId,
      size: sizes.get(diffId) ?? 0,
    })),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  const descriptor = describe(mediaTypes.ociManifest, bytes, { platform: image.platform });
  return { member: memberOf(blobPath(descriptor.digest), bytes), descriptor };
}

function withLayoutFiles(
  members: readonly ArchiveMember[],
  root: Descriptor,
  name: string | undefined,
): ArchiveMember[] {
  const unique = uniqueMembers(members);
  const folders = new Set(["blobs"]);
  for (const { path } of unique) {
    const [top, algorithm, hex] = path.split("/");
    if (top === "blobs" && hex !== undefined) folders.add(`blobs/${algorithm}`);
  }
  const annotations = name === undefined ? {} : { annotations: namesFor(name) };
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [{ ...root, ...annotations }],
  };
  return [
    memberOf("oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" })),
    memberOf("index.json", JSON.stringify(index)),
    ...[...folders].sort().map(folderOf),
    ...unique,
  ];
}

/** The full name for containerd and Docker, and the tag alone for others. */
function namesFor(name: string): Record<string, string> {
  const tag = name.slice(name.lastIndexOf(":") + 1);
  const isFull = name.includes(":") && !tag.includes("/");
  return {
    [nameAnnotations.reference]: isFull ? tag : name,
    ...(isFull ? { [nameAnnotations.image]: name } : {}),
  };
}

/** The old index of tags; its layer is the topmost one. */
function repositoriesMember(image: Image, name: string | undefined): ArchiveMember[] {
  const colon = name?.lastIndexOf(":") ?? -1;
  const top = image.layers.at(-1);
  if (name === undefined || colon < 0 || top === undefined) return [];
  const tags = { [name.slice(colon + 1)]: digestHex(top.diffId) };
  return [memberOf("repositories", JSON.stringify({ [name.slice(0, colon)]: tags }))];
}

/** Layers may repeat; in the archive each is once. */
function uniqueMembers(members: readonly ArchiveMember[]): ArchiveMember[] {
  return [...new Map(members.map((member) => [member.path, member])).values()];
}

function blobMember(
  layout: OciLayout,
  descriptor: Descriptor,
  { signal }: OperationOptions,
): ArchiveMember {
  return {
    path: blobPath(descriptor.digest),
    size: descriptor.size,
    content: async function* () {
      yield* await layout.fetch(descriptor, { signal });
    },
  };
}

async function unpackedSize(
  layout: OciLayout,
  layer: ImageLayer,
  { signal }: OperationOptions,
): Promise<number> {
  let size = 0;
  for await (const chunk of openLayer(layout, layer, { signal })) size += chunk.byteLength;
  return size;
}

function blobPath(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

import { createHash } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { sampleTimeSeconds } from "./entries.ts";
import { type LayerStorage, sampleLayers } from "./layers.ts";
import { type Architecture, architectures } from "./program/hello.ts";
import { writeTar } from "./tar.ts";

/** What one blob of an image is and how to find it. */
export interface SampleDescriptor {
  /** What the bytes are. */
  readonly mediaType: string;
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest: string;
  /** Length in bytes. */
  readonly size: number;
  /** For a manifest in an index: what it runs on. */
  readonly platform?: {
    readonly os: string;
    readonly architecture: string;
    readonly variant?: string;
  };
}

/** The sample: an OCI index with a manifest for each architecture. */
export interface SampleImage {
  /** The index; its bytes are in `blobs` as well. */
  readonly index: SampleDescriptor;
  /** The manifests that the index lists, in its order. */
  readonly manifests: readonly SampleDescriptor[];
  /** Everything the image consists of, by digest; a blob comes before those that refer to it. */
  readonly blobs: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

/** Media types of the OCI image specification 1.1 that the sample uses. */
export const mediaTypes = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
} as const;

/** The environment in the image's configuration, kept odd on purpose: an entry without `=`, one name twice. */
export const sampleEnv: readonly string[] = [
  "PATH=/usr/local/bin:/usr/bin:/bin",
  "GREETING=hello",
  "NOT_AN_ASSIGNMENT",
  "EQUATION=e=mc^2",
  "GREETING=hello again",
];

type Blobs = Map<string, Uint8Array<ArrayBuffer>>;

/**
 * Builds the sample image: four layers, with whiteouts, an opaque directory, links and a static program.
 *
 * The uncompressed layers have the same bytes everywhere; compressed ones depend on the zlib in Node.
 */
export function buildSampleImage(): SampleImage {
  const blobs: Blobs = new Map();
  const manifests = architectures.map((architecture) => addManifest(blobs, architecture));
  const index = addJson(blobs, mediaTypes.index, { schemaVersion: 2, manifests });
  return { index, manifests, blobs };
}

function addManifest(blobs: Blobs, architecture: Architecture): SampleDescriptor {
  const created = new Date(sampleTimeSeconds * 1000).toISOString();
  const layers = sampleLayers(architecture).map(({ files, storage, comment }) => {
    const tar = writeTar(files);
    const compressed = addBlob(blobs, layerMediaType(storage), compress(tar, storage));
    return { compressed, diffId: digestOf(tar), history: { created, comment } };
  });
  const config = addJson(blobs, mediaTypes.config, {
    architecture,
    os: "linux",
    ...variantOf(architecture),
    created,
    config: {
      Env: sampleEnv,
      Entrypoint: ["/bin/hello"],
      WorkingDir: "/",
      Labels: { "org.opencontainers.image.title": "box sample" },
    },
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    history: [
      ...layers.map(({ history }) => history),
      { created, comment: "the entry point", empty_layer: true },
    ],
  });
  const manifest = addJson(blobs, mediaTypes.manifest, {
    schemaVersion: 2,
    config,
    layers: layers.map(({ compressed }) => compressed),
  });
  return { ...manifest, platform: { os: "linux", architecture, ...variantOf(architecture) } };
}

/** Image builders name the variant of arm64, although there is only one. */
function variantOf(architecture: Architecture): { variant?: string } {
  return architecture === "arm64" ? { variant: "v8" } : {};
}

function addJson(blobs: Blobs, mediaType: string, value: object): SampleDescriptor {
  const text = JSON.stringify({ ...("schemaVersion" in value ? { mediaType } : {}), ...value });
  return addBlob(blobs, mediaType, new TextEncoder().encode(text));
}

function addBlob(
  blobs: Blobs,
  mediaType: string,
  bytes: Uint8Array<ArrayBuffer>,
): SampleDescriptor {
  const digest = digestOf(bytes);
  blobs.set(digest, bytes);
  return { mediaType, digest, size: bytes.length };
}

function layerMediaType(storage: LayerStorage): string {
  if (storage === "plain") return mediaTypes.layer;
  return `${mediaTypes.layer}+${storage === "zstd" ? "zstd" : "gzip"}`;
}

function compress(tar: Uint8Array<ArrayBuffer>, storage: LayerStorage): Uint8Array<ArrayBuffer> {
  switch (storage) {
    case "plain":
      return tar;
    case "gzip":
      return Uint8Array.from(gzipSync(tar));
    case "gzip-members": {
      // Not on a boundary of the tar's blocks, so that no reader can treat the members as tars of their own.
      const middle = Math.floor(tar.length / 2) + 1;
      const members = [gzipSync(tar.subarray(0, middle)), gzipSync(tar.subarray(middle))];
      return Uint8Array.from(Buffer.concat(members));
    }
    case "zstd":
      return Uint8Array.from(zstdCompressSync(tar));
  }
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

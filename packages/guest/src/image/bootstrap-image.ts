import { createHash } from "node:crypto";
import { buildTar } from "@box/tar";
import { type GuestArchitecture, parseGuestArchitecture } from "./architecture.ts";
import { bootstrapEnvironment } from "./known-image.ts";
import { systemTree } from "./system-tree.ts";

/** What a blob is, its digest and its length: an OCI descriptor. */
export interface GuestDescriptor {
  /** What the bytes are. */
  readonly mediaType: string;
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest: string;
  /** Length in bytes. */
  readonly size: number;
}

/** The image that a guest's system disk is made from, as the blobs of an OCI image. */
export interface BootstrapImage {
  /** Media type of the manifest; the same as `manifest.mediaType`. */
  readonly mediaType: string;
  /** Names the manifest among the blobs. */
  readonly manifest: GuestDescriptor;
  /** The layer, the configuration and the manifest by digest; a blob comes before those that refer to it. */
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  /** What the image runs on. */
  readonly platform: { readonly os: "linux"; readonly architecture: GuestArchitecture };
}

/** How a bootstrap image is made. */
export interface AssembleBootstrapImageOptions {
  /** The instruction set of the virtual machine. */
  readonly architecture: GuestArchitecture;
}

const mediaTypes = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
} as const;

const created = "1970-01-01T00:00:00Z";

/**
 * Assembles the bootstrap image: a minimal system tree in one uncompressed layer. Needs no network and no
 * tools, and makes the same bytes on every machine.
 *
 * @throws GuestError `GUEST_ARCHITECTURE_UNKNOWN` (unsupported).
 * @see OCI image specification 1.1, "Image Manifest" and "Image Configuration"
 */
export function assembleBootstrapImage(options: AssembleBootstrapImageOptions): BootstrapImage {
  const architecture = parseGuestArchitecture(options.architecture);
  const blobs = new Map<string, Uint8Array>();
  const layer = addBlob(blobs, mediaTypes.layer, buildTar(systemTree()));
  const config = addJson(blobs, mediaTypes.config, {
    architecture,
    os: "linux",
    created,
    config: { Env: bootstrapEnvironment, WorkingDir: "/" },
    // The layer is not compressed: its digest is its diffID.
    rootfs: { type: "layers", diff_ids: [layer.digest] },
    history: [{ created, comment: "guest system tree" }],
  });
  const manifest = addJson(blobs, mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers: [layer],
  });
  return {
    mediaType: manifest.mediaType,
    manifest,
    blobs,
    platform: { os: "linux", architecture },
  };
}

function addJson(
  blobs: Map<string, Uint8Array>,
  mediaType: string,
  value: object,
): GuestDescriptor {
  return addBlob(blobs, mediaType, new TextEncoder().encode(JSON.stringify(value)));
}

function addBlob(
  blobs: Map<string, Uint8Array>,
  mediaType: string,
  bytes: Uint8Array,
): GuestDescriptor {
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  blobs.set(digest, bytes);
  return { mediaType, digest, size: bytes.length };
}

import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildTar } from "@box/tar";

/** What an image of one layer has: a folder, or a file with what it says. Folders come before what is in them. */
export interface ImageFile {
  /** Without a slash at its beginning. */
  readonly path: string;
  readonly mode: number;
  /** A folder has none. */
  readonly content?: Uint8Array | string;
}

/** The part of an image's config that says how its program is run. */
export type ImageRunConfig = Readonly<Record<string, string | readonly string[]>>;

/** Writes a new layout with an image of one layer. @returns Its reference. */
export async function writeImageLayout(
  folder: string,
  files: readonly ImageFile[],
  config: ImageRunConfig,
): Promise<string> {
  const blobs = join(folder, "blobs/sha256");
  await mkdir(blobs, { recursive: true });
  const store = async (mediaType: string, bytes: Uint8Array) => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    await writeFile(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.byteLength };
  };
  const json = (value: object) => Buffer.from(JSON.stringify(value));
  const type = (name: string) => `application/vnd.oci.image.${name}`;
  const layer = await store(type("layer.v1.tar"), buildTar(files.map(tarFile)));
  const image = {
    ...{ architecture: "amd64", os: "linux", config },
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: type("manifest.v1+json"),
    config: await store(type("config.v1+json"), json(image)),
    layers: [layer],
  };
  const named = await store(manifest.mediaType, json(manifest));
  const annotations = { "org.opencontainers.image.ref.name": "latest" };
  const index = { schemaVersion: 2, manifests: [{ ...named, annotations }] };
  await writeFile(join(folder, "index.json"), json(index));
  await writeFile(join(folder, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
  return `oci:${folder}:latest`;
}

function tarFile({ path, mode, content }: ImageFile) {
  const none = new Uint8Array(0);
  const bytes = Buffer.from(content ?? "");
  const entry = {
    path: Buffer.from(path),
    type: content === undefined ? ("directory" as const) : ("file" as const),
    ...{ mode, uid: 0, gid: 0, sizeBytes: bytes.byteLength, mtime: { seconds: 0, nanoseconds: 0 } },
    ...{ linkPath: none, deviceMajor: 0, deviceMinor: 0, xattrs: [] },
  };
  return { entry, ...(content === undefined ? {} : { content: bytes }) };
}

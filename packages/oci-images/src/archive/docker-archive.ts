import { openFile } from "@box/io/node";
import { type Descriptor, mediaTypes, OrasError, parseJson } from "@box/oras";
import * as z from "zod";
import { ImageError } from "../errors.ts";
import type { ImageLimits } from "../image/image.ts";
import { detectCompression } from "../layer/compression.ts";
import { formatImageReference, parseImageReference } from "../reference/image-reference.ts";
import { findStaged, type StagedArchive, type StagedFile } from "./stage.ts";
import { StagedTarget } from "./staged-target.ts";

const manifestSchema = z.lazy(() => z.array(imageSchema).min(1).max(10_000));

const imageSchema = z.lazy(() =>
  z.looseObject({
    Config: z.string().min(1),
    RepoTags: z.array(z.string()).nullish(),
    Layers: z.array(z.string()).nullish(),
  }),
);

/** The images of a docker-archive, as OCI content. */
export interface DockerArchive {
  /** Their content and names. */
  readonly target: StagedTarget;
  /** Their manifests and tags, in the archive's order. */
  readonly images: readonly {
    readonly descriptor: Descriptor;
    readonly names: readonly string[];
  }[];
}

/**
 * Reads what `docker save` wrote, old or new: `manifest.json` names configs and uncompressed layers. The manifests
 * are made here, so their digests are the same on every machine.
 *
 * @throws {@link ImageError} `OCI_ARCHIVE_CORRUPT`; OrasError `OCI_INVALID_JSON` and its like.
 */
export async function readDockerArchive(
  archive: StagedArchive,
  limits: Pick<ImageLimits, "maxManifestBytes">,
): Promise<DockerArchive> {
  const target = new StagedTarget();
  const images: { descriptor: Descriptor; names: readonly string[] }[] = [];
  for (const entry of await readManifest(archive, limits.maxManifestBytes)) {
    const config = add(target, mediaTypes.dockerConfig, require(archive, entry.Config));
    const layers = (entry.Layers ?? []).map((name) => {
      const file = require(archive, name);
      return add(target, layerType(file), file);
    });
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
    const bytes = new TextEncoder().encode(JSON.stringify(manifest));
    const names = entry.RepoTags ?? [];
    const allNames = names.flatMap(fullNamesOf);
    const descriptor = target.addManifest(mediaTypes.ociManifest, bytes, allNames);
    images.push({ descriptor, names });
  }
  return { target, images };
}

async function readManifest(
  archive: StagedArchive,
  maxBytes: number,
): Promise<z.infer<typeof manifestSchema>> {
  const { path } = require(archive, "manifest.json");
  await using file = await openFile(path);
  const bytes = await file.read(0, maxBytes + 1);
  const parsed = manifestSchema.safeParse(
    parseJson(bytes, { what: "manifest.json of the archive", maxBytes }),
  );
  if (parsed.success) return parsed.data;
  throw corrupt("its manifest.json is malformed");
}

function require(archive: StagedArchive, name: string): StagedFile {
  const file = findStaged(archive, name);
  if (file === undefined) throw corrupt(`it lacks ${JSON.stringify(name.slice(0, 200))}`);
  return file;
}

function add(target: StagedTarget, mediaType: string, file: StagedFile): Descriptor {
  target.addFile(file.digest, file.path);
  return { mediaType, digest: file.digest, size: file.size };
}

function layerType({ start }: StagedFile): string {
  const compression = detectCompression(start);
  if (compression === "gzip") return mediaTypes.ociLayerGzip;
  return compression === "zstd" ? mediaTypes.ociLayerZstd : mediaTypes.ociLayer;
}

/** A tag as it is written, and in its full form last. */
export function fullNamesOf(tag: string): readonly string[] {
  try {
    return [tag, formatImageReference(parseImageReference(tag))];
  } catch (error) {
    if (error instanceof OrasError) return [tag];
    throw error;
  }
}

function corrupt(why: string): ImageError {
  return new ImageError({
    code: "OCI_ARCHIVE_CORRUPT",
    message: `cannot use the archive: ${why}`,
    hint: "docker-archive: is for what docker save writes, oci-archive: for a packed image layout",
  });
}

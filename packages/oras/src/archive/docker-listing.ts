import * as z from "zod";
import { detectCompression, magicBytes } from "../content/compression.ts";
import { type Descriptor, describe } from "../content/descriptor.ts";
import { Digester } from "../content/digest.ts";
import { mediaTypes } from "../content/media-types.ts";
import type { OperationOptions } from "../content/target.ts";
import { parseJson } from "../json/parse-json.ts";
import type { NamedEntry } from "../layout/choose-entry.ts";
import type { ArchiveContent } from "./archive-content.ts";
import { archiveError, corruptArchive, quoteName } from "./archive-error.ts";
import type { ArchiveIndex, ArchiveRange } from "./archive-index.ts";

const listingSchema = z.lazy(() => z.array(imageSchema).min(1).max(10_000));

const imageSchema = z.lazy(() =>
  z.looseObject({
    Config: z.string().min(1),
    RepoTags: z.array(z.string()).nullish(),
    Layers: z.array(z.string()).nullish(),
  }),
);

/** Layers of all images together: a listing of a few bytes each would make manifests of many. */
const maxLayers = 100_000;

/**
 * Reads what `docker save` wrote, old or new: `manifest.json` names configs and layers. The manifests are made here, so
 * their digests are the same on every machine; files that they name are hashed.
 *
 * @param listing - The bytes of `manifest.json`.
 * @throws OrasError `OCI_ARCHIVE_CORRUPT`, `OCI_INVALID_JSON`, `OCI_TOO_LARGE`, `OCI_TOO_DEEP`, `OCI_UNSAFE_NAME`.
 */
export async function readDockerImages(
  listing: Uint8Array,
  index: ArchiveIndex,
  content: ArchiveContent,
  options: OperationOptions & { readonly maxManifestBytes: number },
): Promise<readonly NamedEntry[]> {
  const { what } = content;
  const files = new NamedFiles(index, content, options);
  const images: NamedEntry[] = [];
  const entries = parseListing(listing, what, options.maxManifestBytes);
  if (entries.reduce((sum, { Layers }) => sum + (Layers?.length ?? 0), 0) > maxLayers) {
    throw archiveError("OCI_TOO_LARGE", what, `it lists more than ${maxLayers} layers`);
  }
  for (const { Config, Layers, RepoTags } of entries) {
    const config = await files.describe(Config, () => mediaTypes.dockerConfig);
    const layers: Descriptor[] = [];
    for (const name of Layers ?? []) layers.push(await files.describe(name, layerType));
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
    const bytes = new TextEncoder().encode(JSON.stringify(manifest));
    content.addDocument(bytes);
    images.push({ descriptor: describe(mediaTypes.ociManifest, bytes), names: RepoTags ?? [] });
  }
  return images;
}

function parseListing(
  bytes: Uint8Array,
  what: string,
  maxBytes: number,
): z.infer<typeof listingSchema> {
  const value = parseJson(bytes, { what: `manifest.json of ${what}`, maxBytes });
  const parsed = listingSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw corruptArchive(what, "its manifest.json is malformed");
}

interface HashedFile {
  readonly descriptor: Omit<Descriptor, "mediaType">;
  readonly start: Uint8Array;
}

/** The files that a listing names; each is hashed once, whatever it is called. */
class NamedFiles {
  readonly #index: ArchiveIndex;
  readonly #content: ArchiveContent;
  readonly #options: OperationOptions;
  readonly #buffer: Uint8Array = new Uint8Array(1024 * 1024);
  readonly #hashed: Map<number, HashedFile> = new Map();

  constructor(index: ArchiveIndex, content: ArchiveContent, options: OperationOptions) {
    this.#index = index;
    this.#content = content;
    this.#options = options;
  }

  async describe(name: string, typeOf: (start: Uint8Array) => string): Promise<Descriptor> {
    const range = this.#index.find(name);
    if (range === undefined)
      throw corruptArchive(this.#content.what, `it lacks ${quoteName(name)}`);
    const { descriptor, start } = this.#hashed.get(range.offset) ?? (await this.#hash(range));
    return { mediaType: typeOf(start), ...descriptor };
  }

  async #hash(range: ArchiveRange): Promise<HashedFile> {
    const digester = new Digester();
    let start: Uint8Array | undefined;
    for await (const chunk of this.#content.read(range, this.#options, this.#buffer)) {
      start ??= chunk.slice(0, magicBytes);
      digester.update(chunk);
    }
    const digest = digester.digest();
    this.#content.addRange(digest, range);
    const hashed = { descriptor: { digest, size: range.size }, start: start ?? new Uint8Array(0) };
    this.#hashed.set(range.offset, hashed);
    return hashed;
  }
}

function layerType(start: Uint8Array): string {
  const compression = detectCompression(start);
  if (compression === "gzip") return mediaTypes.ociLayerGzip;
  return compression === "zstd" ? mediaTypes.ociLayerZstd : mediaTypes.ociLayer;
}

import { isBoxError } from "@box/errors";
import {
  type Descriptor,
  type Digest,
  fetchBytes,
  fetchManifestBytes,
  isIndexType,
  isManifestType,
  type ManifestDocument,
  type OperationOptions,
  OrasError,
  type Platform,
  parseManifest,
  type ReadonlyStorage,
} from "@box/oras";
import { ImageError } from "../errors.ts";
import { parseImageConfig } from "../image/config.ts";
import { defaultImageLimits, type ImageLimits } from "../image/image.ts";
import { formatPlatform } from "./platform.ts";
import { type RankPlatformOptions, rankPlatform } from "./rank.ts";
import { noPlatformMatch } from "./require.ts";

/** No real platform is as long as this. */
const maxPlatformLength = 200;

/** A manifest document with its bytes. */
export interface ManifestNode {
  /** Its descriptor. */
  readonly descriptor: Descriptor;
  /** The bytes as stored. */
  readonly bytes: Uint8Array;
  /** What they say. */
  readonly document: ManifestDocument;
}

/** Options of {@link selectManifest}. */
export interface SelectManifestOptions extends OperationOptions, RankPlatformOptions {
  /** What is wanted. */
  readonly platform: Platform;
  /** The reference, for messages. */
  readonly what: string;
  /** How deep indexes may be nested, and how much is looked at. */
  readonly limits?: Partial<ImageLimits>;
  /** Whether entries that are not there are passed over, as a store has only the platforms that were pulled. */
  readonly isSparse?: boolean;
}

/** Options of {@link readNode}. */
export interface ReadNodeOptions extends OperationOptions {
  /** How large manifests may be. */
  readonly limits?: Partial<ImageLimits>;
}

/** What has been found so far. Of all that was read only the way to the best is kept. */
interface Search {
  readonly options: SelectManifestOptions;
  readonly visited: Set<Digest>;
  /** The platforms that are there, for messages. */
  readonly available: Set<string>;
  best?: {
    readonly rank: number;
    readonly path: readonly ManifestNode[];
    readonly descriptor: Descriptor;
  };
}

/**
 * Finds the manifest for a platform below an index; a manifest on its own is taken when its config does not contradict.
 *
 * Follows indexes within indexes, skips attestations, and takes the first of the best.
 *
 * @returns The documents from the root to the manifest.
 * @throws {@link ImageError} `OCI_NO_PLATFORM_MATCH` with `details.available`, `OCI_INDEX_TOO_DEEP`.
 */
export async function selectManifest(
  source: ReadonlyStorage,
  root: ManifestNode,
  options: SelectManifestOptions,
): Promise<readonly ManifestNode[]> {
  if (root.document.type === "manifest") return [root];
  const visited = new Set([root.descriptor.digest]);
  const search: Search = { options, visited, available: new Set() };
  await look(source, [root], search);
  if (search.best === undefined) throw noPlatformMatch([...search.available], options);
  const { path, descriptor } = search.best;
  return [...path, await readNode(source, descriptor, options)];
}

/** Reads and parses a manifest document. */
export async function readNode(
  source: ReadonlyStorage,
  descriptor: Descriptor,
  options: ReadNodeOptions = {},
): Promise<ManifestNode> {
  const { maxManifestBytes } = { ...defaultImageLimits, ...options.limits };
  const { signal } = options;
  const bytes = await fetchManifestBytes(source, descriptor, { signal, maxManifestBytes });
  return toNode(descriptor, bytes);
}

/** Parses a manifest document whose bytes have been read, and limited, before. */
export function toNode(descriptor: Descriptor, bytes: Uint8Array): ManifestNode {
  const { digest: what, mediaType } = descriptor;
  const document = parseManifest(bytes, { what, mediaType, maxBytes: bytes.byteLength });
  return { descriptor, bytes, document };
}

async function look(
  source: ReadonlyStorage,
  path: readonly ManifestNode[],
  search: Search,
): Promise<void> {
  const { options, visited } = search;
  const node = path.at(-1);
  if (node?.document.type !== "index") return;
  const { maxIndexDepth, maxCandidates } = { ...defaultImageLimits, ...options.limits };
  if (path.length > maxIndexDepth) throw tooDeep(options.what, maxIndexDepth);
  for (const descriptor of node.document.index.manifests) {
    if (isAttestation(descriptor) || visited.has(descriptor.digest)) continue;
    visited.add(descriptor.digest);
    if (visited.size > maxCandidates) throw tooWide(options.what, maxCandidates);
    if (isIndexType(descriptor.mediaType)) {
      const { platform } = descriptor;
      const mayFit = platform === undefined || rankPlatform(options.platform, platform, options);
      if (mayFit === undefined) continue;
      const inner = await unlessAbsent(readNode(source, descriptor, options), options);
      if (inner !== undefined) await look(source, [...path, inner], search);
    } else if (isManifestType(descriptor.mediaType)) {
      const { platform = await unlessAbsent(platformOf(source, descriptor, options), options) } =
        descriptor;
      judge(search, path, descriptor, platform);
    }
  }
}

/** Of equals the first one wins. */
function judge(
  search: Search,
  path: readonly ManifestNode[],
  descriptor: Descriptor,
  platform: Platform | undefined,
): void {
  const { options, available, best } = search;
  available.add(platform === undefined ? "unknown/unknown" : nameOf(platform));
  const rank = platform && rankPlatform(options.platform, platform, options);
  if (rank !== undefined && (best === undefined || rank < best.rank)) {
    search.best = { rank, path, descriptor };
  }
}

/** A platform for messages, whatever an index says. */
function nameOf(platform: Platform): string {
  const text = formatPlatform(platform);
  return text.length <= maxPlatformLength ? text : "unknown/unknown";
}

function isAttestation(descriptor: Descriptor): boolean {
  const { platform, annotations } = descriptor;
  const isUnknown = platform?.os === "unknown" && platform.architecture === "unknown";
  return isUnknown || annotations?.["vnd.docker.reference.type"] === "attestation-manifest";
}

/** The platform of an entry that has none, from its config; nothing when it is not an image. */
async function platformOf(
  source: ReadonlyStorage,
  descriptor: Descriptor,
  options: ReadNodeOptions,
): Promise<Platform | undefined> {
  const { document } = await readNode(source, descriptor, options);
  if (document.type !== "manifest") return undefined;
  const { config } = document.manifest;
  const { maxManifestBytes: maxBytes } = { ...defaultImageLimits, ...options.limits };
  if (!config.mediaType.endsWith("+json") || config.size > maxBytes) return undefined;
  const what = `config ${config.digest}`;
  const bytes = await fetchBytes(source, config, { maxBytes, what, signal: options.signal });
  return parseImageConfig(bytes, { what, maxBytes }).platform;
}

async function unlessAbsent<T>(
  work: Promise<T>,
  { isSparse }: SelectManifestOptions,
): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isSparse && isBoxError(error) && error.code === "OCI_NOT_FOUND") return undefined;
    throw error;
  }
}

function tooWide(what: string, maxCandidates: number): OrasError {
  return new OrasError({
    code: "OCI_TOO_LARGE",
    message: `cannot use ${what}: it lists more than ${maxCandidates} manifests`,
    details: { reference: what, limit: maxCandidates },
  });
}

function tooDeep(what: string, maxDepth: number): ImageError {
  return new ImageError({
    code: "OCI_INDEX_TOO_DEEP",
    message: `cannot use ${what}: indexes are nested deeper than ${maxDepth} levels`,
    details: { reference: what, limit: maxDepth },
  });
}

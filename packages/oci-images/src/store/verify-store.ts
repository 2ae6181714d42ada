import { type BoxError, type ErrorKind, isBoxError } from "@box/errors";
import {
  type Descriptor,
  type Digest,
  fetchBytes,
  hasSuccessors,
  type Manifest,
  type OciLayout,
  type OperationOptions,
  releaseChunk,
  verifyContent,
} from "@box/oras";
import {
  configTypes,
  defaultImageLimits,
  type ImageLayer,
  type ImageLimits,
  pairLayers,
  parseConfigOf,
} from "../image/image.ts";
import { type LayerLimits, openLayer } from "../layer/open-layer.ts";
import { readNode } from "../platform/select.ts";

/** A blob that is not what its name says, or not what an image needs. */
export interface BlobFinding {
  /** Its name. */
  readonly digest: Digest;
  /** What is wrong, such as `OCI_DIGEST_MISMATCH`. */
  readonly code: string;
  /** The same for a person. */
  readonly message: string;
  /** Whether it was taken away, so that the next pull brings it again. */
  readonly isRemoved: boolean;
}

/** Options of `verifyBlobs`. */
export interface VerifyBlobsOptions extends OperationOptions {
  /** Unpacks every layer as well, and compares the archive with the digest in the image's config. */
  readonly deep?: boolean;
  /** Takes damaged blobs away. */
  readonly repair?: boolean;
  /** Told how much of a blob has been read. */
  readonly onProgress?: (digest: Digest, doneBytes: number, totalBytes: number) => void;
}

/** How large images and layers may be. */
interface VerifyLimits {
  readonly limits?: Partial<ImageLimits>;
  readonly layerLimits?: Partial<LayerLimits>;
}

/**
 * Hashes every blob, and looks whether all that the named images consist of is there. Platforms that were never pulled
 * are not missed. Damage is reported, not thrown; an I/O error is thrown.
 */
export async function verifyBlobs(
  layout: OciLayout,
  options: VerifyBlobsOptions = {},
  limits: VerifyLimits = {},
): Promise<readonly BlobFinding[]> {
  const findings = await hashBlobs(layout, options);
  const damaged = new Set(findings.map(({ digest }) => digest));
  const walk = new ImageWalk(layout, { ...options, ...limits }, damaged);
  for (const root of (await layout.index()).manifests) await walk.visit(root);
  return [...findings, ...walk.findings];
}

async function hashBlobs(layout: OciLayout, options: VerifyBlobsOptions): Promise<BlobFinding[]> {
  const findings: BlobFinding[] = [];
  for await (const { digest, size } of layout.blobs()) {
    const descriptor = { mediaType: "application/octet-stream", digest, size };
    try {
      const chunks = await layout.fetch(descriptor, { signal: options.signal, verify: false });
      let done = 0;
      for await (const chunk of verifyContent(chunks, descriptor)) {
        done += chunk.byteLength;
        releaseChunk(chunk);
        options.onProgress?.(digest, done, size);
      }
    } catch (error) {
      if (!isBoxError(error) || error.kind !== "corrupt") throw error;
      const isRemoved = options.repair === true && (await layout.removeRotten(digest, options));
      findings.push({ digest, code: error.code, message: error.message, isRemoved });
    }
  }
  return findings;
}

/** Kinds of failures that are about content, not about the machine. */
const contentKinds: ReadonlySet<ErrorKind> = new Set([
  "corrupt",
  "limit",
  "unsupported",
  "encrypted",
]);

/** Goes through images, each part once. */
class ImageWalk {
  readonly findings: BlobFinding[] = [];
  readonly #layout: OciLayout;
  readonly #options: VerifyBlobsOptions & VerifyLimits;
  readonly #seen: Set<string>;

  /** @param damaged - What is known to be damaged, and is not looked into. */
  constructor(
    layout: OciLayout,
    options: VerifyBlobsOptions & VerifyLimits,
    damaged: ReadonlySet<Digest>,
  ) {
    this.#layout = layout;
    this.#options = options;
    this.#seen = new Set(damaged);
  }

  /** Looks at an entry of the index and all that is below it. */
  async visit(root: Descriptor): Promise<void> {
    await this.#requirePart(root, "the index");
    const pending = [root];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (!hasSuccessors(next.mediaType) || !this.#isNew(next.digest)) continue;
      if (!(await this.#layout.exists(next))) continue;
      const { digest } = next;
      const node = await this.#judge(digest, readNode(this.#layout, next, this.#options));
      if (node?.document.type === "index") pending.push(...node.document.index.manifests);
      else if (node !== undefined) await this.#visitManifest(digest, node.document.manifest);
    }
  }

  async #visitManifest(digest: Digest, manifest: Manifest): Promise<void> {
    for (const part of [manifest.config, ...manifest.layers]) {
      await this.#requirePart(part, `manifest ${digest}`);
    }
    const { config } = manifest;
    const isImage = configTypes.has(config.mediaType) && (await this.#layout.exists(config));
    if (!this.#options.deep || !isImage || this.#seen.has(config.digest)) return;
    const layers = await this.#judge(config.digest, this.#layersOf(manifest));
    for (const layer of layers ?? []) await this.#unpack(layer);
  }

  async #layersOf(manifest: Manifest): Promise<readonly ImageLayer[]> {
    const { maxManifestBytes: maxBytes } = { ...defaultImageLimits, ...this.#options.limits };
    const what = `config ${manifest.config.digest}`;
    const { signal } = this.#options;
    const bytes = await fetchBytes(this.#layout, manifest.config, { signal, maxBytes, what });
    return pairLayers(manifest, parseConfigOf(manifest, bytes, what));
  }

  async #unpack(layer: ImageLayer): Promise<void> {
    const { descriptor, diffId } = layer;
    const isThere = await this.#layout.exists(descriptor);
    if (!isThere || this.#seen.has(descriptor.digest)) return;
    if (!this.#isNew(`${descriptor.digest} ${diffId}`)) return;
    const reading = async (): Promise<void> => {
      const { signal, layerLimits: limits = {} } = this.#options;
      // Its own digest has been checked.
      for await (const _chunk of openLayer(this.#layout, layer, {
        signal,
        limits,
        hashesContentOnly: true,
        hasTransientChunks: true,
        ownsStoredChunks: true,
      }));
    };
    await this.#judge(descriptor.digest, reading());
  }

  async #requirePart(part: Descriptor, whose: string): Promise<void> {
    if (await this.#layout.exists(part)) return;
    if (!this.#isNew(`missing ${part.digest}`) || this.#seen.has(part.digest)) return;
    const { digest } = part;
    const message = `the store lacks ${digest}, which ${whose} names`;
    this.findings.push({ digest, code: "OCI_IMAGE_INCOMPLETE", message, isRemoved: false });
  }

  /** What is wrong with the content becomes a finding. */
  async #judge<T>(digest: Digest, work: Promise<T>): Promise<T | undefined> {
    try {
      return await work;
    } catch (error) {
      if (!isBoxError(error) || !contentKinds.has(error.kind)) throw error;
      this.findings.push(findingOf(digest, error));
      return undefined;
    }
  }

  #isNew(name: string): boolean {
    const isNew = !this.#seen.has(name);
    this.#seen.add(name);
    return isNew;
  }
}

function findingOf(digest: Digest, { code, message }: BoxError): BlobFinding {
  return { digest, code, message, isRemoved: false };
}

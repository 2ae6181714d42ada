import { arch } from "node:os";
import { join, resolve } from "node:path";
import { type ErrorKind, isBoxError } from "@box/errors";
import {
  type Descriptor,
  isDigest,
  namesOf,
  OciLayout,
  type OperationOptions,
  type Platform,
  pinnedDigest,
  releaseChunk,
} from "@box/oras";
import type { ArchiveInput } from "../archive/plain-archive.ts";
import type { WriteArchiveOptions } from "../archive/write-archive.ts";
import { ImageError } from "../errors.ts";
import {
  bareDescriptor,
  defaultImageLimits,
  type Image,
  type ImageLayer,
  type ImageLimits,
} from "../image/image.ts";
import type { OpenLayerOptions } from "../layer/open-layer.ts";
import { inStore } from "../layer/rotten-layer.ts";
import { formatPlatform, platformOfArch } from "../platform/platform.ts";
import type { SelectManifestOptions } from "../platform/select.ts";
import {
  formatImageReference,
  type ImageReference,
  parseImageReference,
} from "../reference/image-reference.ts";
import type { CollectedGarbage, CollectGarbageOptions } from "./collect-garbage.ts";
import type { ImageSource } from "./image-source.ts";
import type {
  GetImageOptions,
  ImageStoreOptions,
  ImportOptions,
  PullOptions,
  PullPolicy,
  PushedImage,
  PushOptions,
  StoredReference,
} from "./image-store-options.ts";
import { leaseIfWritable, leaseImage } from "./lease-image.ts";
import { loadImage } from "./load-image.ts";
import { requirePinned, resolveSource } from "./resolve-source.ts";
import { openSource } from "./sources.ts";
import { unlessAbsent } from "./unless-absent.ts";
import type { BlobFinding, VerifyBlobsOptions } from "./verify-store.ts";

/**
 * A store of images: an OCI image layout that other tools can read, shared by several processes.
 *
 * Manifests are kept byte for byte. Nothing half-made is visible: blobs appear once they are verified, a manifest
 * after its parts, and a name last.
 */
export class ImageStore {
  readonly #layout: OciLayout;
  readonly #options: ImageStoreOptions;

  private constructor(layout: OciLayout, options: ImageStoreOptions) {
    this.#layout = layout;
    this.#options = options;
  }

  /** Opens the store in a folder, and makes it when there is none. */
  static async open(directory: string, options: ImageStoreOptions = {}): Promise<ImageStore> {
    const { fs, limits } = options;
    const layout = await OciLayout.ensure(directory, {
      ...(fs === undefined ? {} : { fs }),
      ...(limits === undefined ? {} : { limits }),
    });
    return new ImageStore(layout, options);
  }

  /** The store's layout, for tools that work on blobs. */
  get layout(): OciLayout {
    return this.#layout;
  }

  /**
   * Makes sure that an image is in the store and returns it.
   *
   * A layout as the source is looked at each time, unless the policy is `never`: that costs nothing. A reference with
   * a digest never asks a registry for an image that is there, whatever its name. `always` asks with one HEAD whether a
   * tag has moved.
   *
   * @throws {@link ImageError} and OrasError by code; what was in the store stays.
   */
  async pull(reference: string | ImageReference, options: PullOptions = {}): Promise<Image> {
    const parsed = typeof reference === "string" ? parseImageReference(reference) : reference;
    const policy = options.policy ?? "missing";
    const mustVerify = options.verificationKey !== undefined;
    if (policy === "never") {
      if (mustVerify) throw cannotVerify(formatImageReference(parsed));
      return (await this.#findNamed(parsed, options)) ?? this.get(parsed, options);
    }
    if (
      !mustVerify &&
      parsed.type === "registry" &&
      (policy === "missing" || parsed.digest !== undefined)
    ) {
      const found = await this.#findNamed(parsed, options);
      if (found !== undefined) return found;
    }
    await using source = await openSource(parsed, {
      ...this.#options,
      ...options,
      folder: join(this.#layout.directory, "ingest"),
      onRetry: ({ code, message }) => options.onEvent?.({ type: "retry", code, message }),
    });
    const current = mustVerify ? undefined : await this.#current(source, policy, options);
    if (current !== undefined) return current;
    const { fetchImage } = await import("./fetch-image.ts");
    // Awaited here: the source is open only as long as this function runs.
    return await fetchImage(source, this.#layoutFor(options), {
      ...this.#options,
      ...options,
      platform: this.#platform(options),
    });
  }

  /**
   * An image of the store, by reference or by the digest of its manifest or index.
   *
   * @throws {@link ImageError} `OCI_IMAGE_NOT_FOUND`, `OCI_IMAGE_INCOMPLETE`, `OCI_NO_PLATFORM_MATCH`.
   */
  async get(reference: string | ImageReference, options: GetImageOptions = {}): Promise<Image> {
    const name = this.#nameOf(reference);
    const root = await this.#resolve(name);
    if (root === undefined) throw notFound(name);
    return loadImage(this.#layout, root, this.#selection(name, options));
  }

  /** All entries, in the order they were named, but for what is only attached to others. */
  async list(): Promise<readonly StoredReference[]> {
    const { manifests } = await this.#layout.index();
    const listed: StoredReference[] = [];
    for (const descriptor of manifests) {
      if (await this.#layout.isAttached(descriptor)) continue;
      listed.push({ descriptor, reference: namesOf(descriptor)[0] });
    }
    return listed;
  }

  /**
   * Sends an image of the store to a registry or an image layout: all its platforms when everything that
   * its index lists is here, else one. Attestations, which indexes list too, are never pulled.
   *
   * @param destination - Where it goes; the name that it has here unless given.
   * @throws {@link ImageError} `OCI_IMAGE_NOT_FOUND`; OrasError by code.
   */
  async push(
    reference: string,
    destination: string = reference,
    options: PushOptions = {},
  ): Promise<PushedImage> {
    const [{ openDestination }, { pushImage }, { tellCopy }] = await Promise.all([
      import("./destinations.ts"),
      import("./push-image.ts"),
      import("./fetch-image.ts"),
    ]);
    const image = await this.get(reference, options);
    await using _lease = await leaseIfWritable(this.#layout, image, options);
    await using target = await openDestination(parseImageReference(destination), {
      ...this.#options,
      ...options,
      onRetry: ({ code, message }) => options.onEvent?.({ type: "retry", code, message }),
    });
    const { digest } = await pushImage(this.#layout, image, target.target, target.selector, {
      signal: options.signal,
      limits: this.#limits,
      ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
      onPartial: (absent) =>
        options.onEvent?.({
          type: "warning",
          code: "OCI_IMAGE_INCOMPLETE",
          message: `only the manifest for ${formatPlatform(image.platform)}, ${image.digest}, is sent: ${absent} of what the index ${image.root.digest} lists is not here`,
        }),
      onEvent: (event) => tellCopy(event, options.onEvent),
    });
    return { reference: target.name, digest };
  }

  /**
   * Brings all images of an archive or of an image layout into the store, under the names that they have there.
   *
   * @param input - A path, or the bytes of an archive.
   * @throws {@link ImageError} those of pulls; OrasError `OCI_ARCHIVE_CORRUPT`, and `OCI_AMBIGUOUS_REFERENCE` for an image
   * without a name.
   */
  async import(input: ArchiveInput | OciLayout, options: ImportOptions = {}): Promise<Image[]> {
    const { importImages } = await import("./import-images.ts");
    const { name } = options;
    return importImages(input, this.#layoutFor(options), {
      ...this.#options,
      ...options,
      ...(name === undefined ? {} : { name: this.#nameOf(name) }),
      folder: join(this.#layout.directory, "ingest"),
      platform: this.#platform(options),
    });
  }

  /**
   * Packs an image of the store for one platform, chunk by chunk; see `writeArchive`.
   *
   * @throws {@link ImageError} `OCI_IMAGE_NOT_FOUND` at once, the errors of damaged layers from the iteration.
   */
  async export(
    reference: string,
    options: WriteArchiveOptions & GetImageOptions = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    const image = await this.get(reference, options);
    const { exportImage } = await import("./export-image.ts");
    return exportImage(this.#layout, image, options);
  }

  /**
   * Keeps an image's content until the lease is disposed of or this process dies, also when the image loses its names
   * meanwhile.
   *
   * @throws {@link ImageError} `OCI_IMAGE_NOT_FOUND`, `OCI_IMAGE_INCOMPLETE`; IoError.
   */
  async lease(
    reference: string | ImageReference,
    options: GetImageOptions = {},
  ): Promise<AsyncDisposable> {
    return leaseImage(this.#layout, await this.get(reference, options), options);
  }

  /**
   * Gives an image of the store one more name.
   *
   * @throws {@link ImageError} `OCI_IMAGE_NOT_FOUND`; OrasError `OCI_DIGEST_MISMATCH` for a name that pins another digest.
   */
  async tag(reference: string, name: string, options: OperationOptions = {}): Promise<void> {
    const source = this.#nameOf(reference);
    const root = await this.#resolve(source);
    if (root === undefined) throw notFound(source);
    const target = this.#nameOf(name);
    requirePinned(target, pinnedDigest(target), root.digest);
    await using _lease = await this.#layout.keep([root], options);
    await this.#layout.tag(root, target, options);
  }

  /**
   * Takes a name away; the content goes with the next {@link ImageStore.collectGarbage}.
   *
   * @returns false when there was no such name.
   */
  async remove(reference: string, options: OperationOptions = {}): Promise<boolean> {
    return this.#layout.untag(this.#nameOf(reference), options);
  }

  /** Removes what neither a name nor a lease leads to; see `collectGarbage`. */
  async collectGarbage(options: CollectGarbageOptions): Promise<CollectedGarbage> {
    const { collectGarbage } = await import("./collect-garbage.ts");
    return collectGarbage(this.#layout, options, this.#limits);
  }

  /** Hashes every blob and looks whether the named images are whole; see `verifyBlobs`. */
  async verify(options: VerifyBlobsOptions = {}): Promise<readonly BlobFinding[]> {
    const { verifyBlobs } = await import("./verify-store.ts");
    return verifyBlobs(this.#layout, options, this.#options);
  }

  /** Reads a layer's tar archive, verified at its end; see {@link openLayer}. */
  async *openLayer(
    layer: ImageLayer,
    options: OpenLayerOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { openLayer } = await import("../layer/open-layer.ts");
    const limits = { ...this.#options.layerLimits, ...options.limits };
    try {
      yield* openLayer(this.#layout, layer, { ownsStoredChunks: true, ...options, limits });
    } catch (error) {
      throw inStore(error);
    }
  }

  /** Compares a layer's blob with its digest. @throws OrasError `OCI_DIGEST_MISMATCH` and as pulls do; IoError. */
  async verifyLayer({ descriptor }: ImageLayer, options: OperationOptions = {}): Promise<void> {
    try {
      for await (const chunk of await this.#layout.fetch(descriptor, options)) releaseChunk(chunk);
    } catch (error) {
      throw inStore(error);
    }
  }

  /** The stored image when it is what the source names now. */
  async #current(
    source: ImageSource,
    policy: PullPolicy,
    options: PullOptions,
  ): Promise<Image | undefined> {
    if (!source.isLocal && policy !== "always") return undefined;
    const stored = await this.#resolve(source.name);
    if (stored === undefined) return undefined;
    const now = await resolveSource(source, options);
    requirePinned(source.name, source.pinned, now.digest);
    if (now.digest !== stored.digest) return undefined;
    const loading = loadImage(this.#layout, stored, this.#selection(source.name, options));
    return unlessAbsent(this.#layout, loading);
  }

  /**
   * What a registry's reference names, when it is there and whole. An image that is there under another name, and has
   * the digest that the reference pins, gets its name too, so that it stays.
   */
  async #findNamed(parsed: ImageReference, options: PullOptions): Promise<Image | undefined> {
    if (parsed.type !== "registry") return undefined;
    const name = formatImageReference(parsed);
    const { digest } = parsed;
    const found = await this.#find(name, options);
    if (found !== undefined || digest === undefined) return found;
    const known = await this.#find(digest, options).catch((error: unknown) => {
      // A blob that is no manifest: only the registry can tell that it is none.
      if (isBoxError(error) && noManifestKinds.has(error.kind)) return undefined;
      throw error;
    });
    if (known === undefined) return undefined;
    return unlessAbsent(this.#layout, this.#addName(known, name, options));
  }

  async #addName(image: Image, name: string, options: PullOptions): Promise<Image> {
    const { signal } = options;
    const layout = this.#layoutFor(options);
    await using _lease = await leaseImage(layout, image, { signal });
    await layout.tag(image.root, name, { signal });
    return { ...image, reference: name };
  }

  async #find(name: string, options: GetImageOptions): Promise<Image | undefined> {
    return unlessAbsent(this.#layout, this.get(name, options));
  }

  #selection(name: string, options: GetImageOptions): SelectManifestOptions {
    const platform = this.#platform(options);
    return { ...this.#options, ...options, platform, what: name, isSparse: true };
  }

  async #resolve(name: string): Promise<Descriptor | undefined> {
    try {
      return bareDescriptor(await this.#layout.resolve(name));
    } catch (error) {
      if (isBoxError(error) && error.code === "OCI_NOT_FOUND") return undefined;
      throw error;
    }
  }

  #nameOf(reference: string | ImageReference): string {
    if (typeof reference === "string" && isDigest(reference)) return reference;
    const parsed = typeof reference === "string" ? parseImageReference(reference) : reference;
    if (parsed.type === "registry") return formatImageReference(parsed);
    return formatImageReference({ ...parsed, path: resolve(parsed.path) });
  }

  get #limits(): ImageLimits {
    return { ...defaultImageLimits, ...this.#options.limits };
  }

  #platform(options: GetImageOptions): Platform {
    return options.platform ?? this.#options.platform ?? platformOfArch(arch());
  }

  #layoutFor(options: Pick<PullOptions, "onEvent">): OciLayout {
    return this.#layout.with({
      onWait: (what, holderPid) =>
        options.onEvent?.({
          type: "waiting",
          what,
          ...(holderPid === undefined ? {} : { holderPid }),
        }),
    });
  }
}

const noManifestKinds: ReadonlySet<ErrorKind> = new Set(["corrupt", "unsupported", "limit"]);

function cannotVerify(name: string): ImageError {
  return new ImageError({
    code: "OCI_SIGNATURE_MISSING",
    message: `cannot verify ${name}: signatures are at its source, which may not be asked`,
    details: { reference: name },
    hint: "let the registry be asked, or pull without a verification key",
  });
}

function notFound(name: string): ImageError {
  return new ImageError({
    code: "OCI_IMAGE_NOT_FOUND",
    message: `cannot find image ${name} in the store`,
    details: { reference: name },
    hint: `pull it first: box pull ${name}`,
  });
}

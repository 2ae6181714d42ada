import { resolve } from "node:path";
import {
  formatImageReference,
  type Image,
  type ImageLimits,
  type ImageReference,
  ImageStore,
  type LayerLimits,
  type PullEvent,
  parseImageReference,
  type RegistrySettings,
} from "@box/oci-images";
import type { CredentialProvider, Digest, Platform } from "@box/oras";
import { type Once, once } from "@box/pipeline";
import { layersOfImage, splitEnvironment } from "@box/rootfs";
import { RuntimeError } from "../errors.ts";
import { bootstrapImage } from "./bootstrap-image.ts";
import type {
  ImageRequest,
  ImageSource,
  PullPolicy,
  Reporter,
  SourceImage,
} from "./image-source.ts";

/** How images are found and fetched. */
export interface ImageOptions {
  /** The platform of images; Linux on this machine's CPU unless given. */
  readonly platform?: Platform;
  /** Hosts that may be reached over plain HTTP, besides loopback. */
  readonly insecureHosts?: readonly string[];
  /** Finds credentials for registries. */
  readonly credentials?: CredentialProvider;
  /** How registries are reached: proxies, mirrors, certificates. */
  readonly registry?: RegistrySettings;
  /** How large images may be. */
  readonly limits?: Partial<ImageLimits>;
  /** How far layers may expand. */
  readonly layerLimits?: Partial<LayerLimits>;
}

/** Images from the store of a home, which fetches what it lacks. */
export class StoreImages implements ImageSource {
  /** The store, opened when it is first asked for. */
  readonly store: Once<ImageStore>;
  readonly #options: ImageOptions;

  /** @param directory - The store's folder. */
  constructor(directory: string, options: ImageOptions) {
    const { platform } = options;
    this.#options = options;
    this.store = once(() =>
      ImageStore.open(directory, {
        ...(platform === undefined ? {} : { platform }),
        ...(options.registry === undefined ? {} : { registry: options.registry }),
        ...(options.limits === undefined ? {} : { limits: options.limits }),
        ...(options.layerLimits === undefined ? {} : { layerLimits: options.layerLimits }),
      }),
    );
  }

  /** The full name of an image; relative paths count from the working folder. */
  async nameOf(reference: string): Promise<string> {
    const parsed = parseImageReference(reference);
    return formatImageReference(
      parsed.type === "registry" ? parsed : { ...parsed, path: resolve(parsed.path) },
    );
  }

  /** Makes sure that an image is in the store. */
  async ensureImage(request: ImageRequest, reporter: Reporter): Promise<SourceImage> {
    const store = await this.store();
    return this.#toSource(store, request, await this.#ensure(store, request, reporter));
  }

  /** Box's own bootstrap image; it needs no store. */
  async ensureBootstrapImage(): Promise<SourceImage> {
    return bootstrapImage(this.#options.platform?.architecture);
  }

  #ensure(store: ImageStore, request: ImageRequest, reporter: Reporter): Promise<Image> {
    const { reference, digest, policy } = request;
    if (digest === undefined) return this.#pull(store, reference, policy, reporter);
    return this.#ensureDigest(store, { ...request, digest }, reporter);
  }

  #toSource(store: ImageStore, request: ImageRequest, image: Image): SourceImage {
    const source = toSourceImage(store, image);
    if (request.policy === "never") return source;
    return {
      ...source,
      mend: async (reporter) => {
        const { mendImage } = await import("./mend-image.ts");
        const pull = () => this.#ensure(store, request, reporter);
        const { reference } = request;
        return toSourceImage(store, await mendImage(store, image, reference, reporter, pull));
      },
    };
  }

  /** The image by its digest from the store, or from where the reference points to when it is still that image. */
  async #ensureDigest(
    store: ImageStore,
    request: ImageRequest & { readonly digest: string },
    reporter: Reporter,
  ): Promise<Image> {
    const { reference, digest } = request;
    try {
      return await store.get(digest, { signal: reporter.signal });
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
    const parsed = parseImageReference(reference);
    const exact = parsed.type === "registry" ? { ...parsed, digest: digest as Digest } : parsed;
    const image = await this.#pull(store, exact, request.policy, reporter);
    if (image.digest !== digest) throw imageChanged(reference, digest, image.digest);
    return image;
  }

  #pull(
    store: ImageStore,
    reference: string | ImageReference,
    policy: PullPolicy | undefined,
    reporter: Reporter,
  ): Promise<Image> {
    const { insecureHosts, credentials } = this.#options;
    return store.pull(reference, {
      ...(policy === undefined ? {} : { policy }),
      signal: reporter.signal,
      ...(insecureHosts === undefined ? {} : { insecureHosts }),
      ...(credentials === undefined ? {} : { credentials }),
      onEvent: (event) => tell(reporter, event),
    });
  }
}

function toSourceImage(store: ImageStore, image: Image): SourceImage {
  const { env, entrypoint, cmd, workingDir, user, stopSignal } = image.config;
  return {
    reference: image.reference,
    digest: image.digest,
    config: {
      environment: splitEnvironment(env),
      entrypoint,
      command: cmd,
      workingDirectory: workingDir,
      user,
      ...(stopSignal === undefined ? {} : { stopSignal }),
    },
    layers: layersOfImage(store, image),
  };
}

function tell(reporter: Reporter, event: PullEvent): void {
  switch (event.type) {
    case "resolved":
      reporter.info(`${event.reference} is ${event.digest}`, { digest: event.digest });
      break;
    case "progress":
      tellBytes(reporter, event.digest, event.doneBytes, event.totalBytes);
      break;
    case "stored":
      tellBytes(reporter, event.digest, event.totalBytes, event.totalBytes);
      break;
    case "exists":
      reporter.cached(`${event.digest} is in the store`, { digest: event.digest });
      break;
    case "waiting":
      reporter.info(`waiting for ${nameOf(event.holderPid)}: ${event.what}`);
      break;
    case "retry":
      reporter.warn({ code: event.code, message: `trying again: ${event.message}` });
      break;
  }
}

function tellBytes(reporter: Reporter, item: string, done: number, total: number): void {
  reporter.progress({ done, total, unit: "bytes", item });
}

function isAbsent(error: unknown): boolean {
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  return code === "OCI_IMAGE_NOT_FOUND" || code === "OCI_IMAGE_INCOMPLETE";
}

function imageChanged(reference: string, expected: string, found: string): RuntimeError {
  return new RuntimeError({
    code: "BOX_IMAGE_CHANGED",
    message: `${reference} is ${found} by now, and the box was made from ${expected}`,
    details: { reference, expected, found },
    hint: "bring the old image back under that reference, or create a new box",
  });
}

function nameOf(holderPid: number | undefined): string {
  return holderPid === undefined ? "another process" : `process ${holderPid}`;
}

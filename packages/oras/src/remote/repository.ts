import * as z from "zod";
import type { Descriptor } from "../content/descriptor.ts";
import { type Digest, validateName } from "../content/digest.ts";
import { hasSuccessors, mediaTypes } from "../content/media-types.ts";
import { isRepository } from "../content/reference.ts";
import { describeReferrer } from "../content/referrer.ts";
import type {
  BlobSource,
  ContentOrigin,
  FetchedManifest,
  FetchOptions,
  GraphTarget,
  OperationOptions,
  ReferenceFetcher,
  Target,
} from "../content/target.ts";
import { readAll, verifyBytes, verifyContent } from "../content/verify.ts";
import { OrasError } from "../errors.ts";
import type { RegistryClient } from "../transport/client.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import { downloadBlob } from "./download.ts";
import { ManifestStore, type RepositoryRequest } from "./manifest-store.ts";
import { acceptedManifests, describeHead } from "./manifests.ts";
import { readPages } from "./pages.ts";
import { blobPath, manifestPath } from "./paths.ts";
import { referrersSchema } from "./referrers.ts";

/** Options of {@link RemoteRepository.push}. */
export interface PushOptions extends OperationOptions {
  /**
   * A repository of the same registry that may have the blob: then nothing is sent. Unless given, it is the one that the
   * blob comes from.
   */
  readonly mountFrom?: string;
  /** Larger blobs go in parts of this size; 64 MiB unless given. */
  readonly chunkBytes?: number;
}

/** Options of {@link RemoteRepository.referrers}. */
export interface ReferrersOptions extends OperationOptions {
  /** Only those of this type. */
  readonly artifactType?: string;
}

const defaultChunkBytes = 64 * 1024 * 1024;

const tagsSchema: z.ZodType<{ readonly tags?: readonly string[] | null | undefined }> = z.lazy(() =>
  z.looseObject({ tags: z.array(z.string().max(128)).nullish() }),
);

/** One repository of a registry. */
export class RemoteRepository implements Target, ReferenceFetcher, GraphTarget {
  /** {@inheritDoc Fetcher.ownsNoChunks} */
  readonly ownsNoChunks = true;
  /** The host that users name, with the port if any. */
  readonly host: string;
  /** The repository's name: `library/debian`. */
  readonly name: string;
  readonly #client: RegistryClient;
  readonly #endpoint: Endpoint;
  readonly #manifests: ManifestStore;
  /** {@inheritDoc Fetcher.origin} */
  readonly origin: ContentOrigin;
  /** The manifest that was pushed by digest last, for the tag that mostly follows. */
  #pushed: { readonly digest: Digest; readonly bytes: Uint8Array } | undefined;

  /**
   * @param host - Host and port as in references.
   * @param place - What the endpoint of a mirror has besides its host.
   * @throws {@link OrasError} `OCI_INVALID_REFERENCE` for a bad name.
   */
  constructor(
    client: RegistryClient,
    host: string,
    name: string,
    place: Pick<Endpoint, "namespace" | "attempts"> = {},
  ) {
    if (!isRepository(name)) {
      throw new OrasError({
        code: "OCI_INVALID_REFERENCE",
        message: `cannot use ${JSON.stringify(name.slice(0, 160))} as a repository name`,
      });
    }
    this.host = host;
    this.name = name;
    this.origin = { host, name };
    this.#client = client;
    this.#endpoint = { ...client.endpoint(host), ...place };
    this.#manifests = new ManifestStore(client, name, this.#fullName, (options, actions) =>
      this.#common(options, actions),
    );
  }

  /** {@inheritDoc Fetcher.place} */
  get place(): string {
    return this.#fullName;
  }

  /** The manifest behind a tag or digest, with one GET. */
  async fetchReference(
    reference: string,
    options: OperationOptions = {},
  ): Promise<FetchedManifest> {
    return this.#manifests.get(reference, options);
  }

  /** {@inheritDoc Resolver.resolve} */
  async resolve(reference: string, options: OperationOptions = {}): Promise<Descriptor> {
    const response = await this.#client.request({
      ...this.#common(options),
      method: "HEAD",
      target: manifestPath(this.name, reference),
      headers: { accept: acceptedManifests },
      expect: [200, 405],
      what: `look up ${reference} in ${this.#fullName}`,
    });
    response.discard();
    const known = response.status === 200 ? describeHead(response, reference) : undefined;
    return known ?? (await this.fetchReference(reference, options)).descriptor;
  }

  /** {@inheritDoc Fetcher.fetch} */
  async fetch(
    descriptor: Descriptor,
    options: FetchOptions = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    const offset = options.offset ?? 0;
    if (hasSuccessors(descriptor.mediaType)) {
      const { bytes } = await this.fetchReference(descriptor.digest, options);
      verifyBytes(bytes, descriptor);
      return once(bytes.subarray(offset));
    }
    const chunks = downloadBlob(this.#client, {
      descriptor,
      offset,
      request: {
        ...this.#common(options),
        target: blobPath(this.name, descriptor.digest),
        what: `fetch blob ${descriptor.digest} of ${this.#fullName}`,
      },
    });
    const isVerified = offset === 0 && options.verify !== false;
    return isVerified ? verifyContent(chunks, descriptor, this.place) : chunks;
  }

  /** {@inheritDoc ReadonlyStorage.exists} */
  async exists(descriptor: Descriptor, options: OperationOptions = {}): Promise<boolean> {
    const response = await this.#client.request({
      ...this.#common(options),
      method: "HEAD",
      target: this.#pathOf(descriptor),
      ...(hasSuccessors(descriptor.mediaType) ? { headers: { accept: acceptedManifests } } : {}),
      expect: [200, 404],
      what: `look for ${descriptor.digest} in ${this.#fullName}`,
    });
    response.discard();
    return response.status === 200;
  }

  /** {@inheritDoc Pusher.push} */
  async push(descriptor: Descriptor, source: BlobSource, options: PushOptions = {}): Promise<void> {
    if (hasSuccessors(descriptor.mediaType)) {
      const chunks = verifyContent(await source.open(0), descriptor, source.place);
      const { maxManifestBytes } = this.#client.limits;
      const bytes = await readAll(chunks, maxManifestBytes, `manifest ${descriptor.digest}`);
      await this.#manifests.put(descriptor, bytes, descriptor.digest, options);
      this.#pushed = { digest: descriptor.digest, bytes };
      return;
    }
    const mountFrom = options.mountFrom ?? this.#neighbour(source);
    // Most clients only read.
    const { uploadBlob } = await import("./upload.ts");
    await uploadBlob(this.#client, {
      request: {
        ...this.#common(options, "pull,push"),
        what: `push blob ${descriptor.digest} to ${this.#fullName}`,
      },
      name: this.name,
      descriptor,
      source,
      chunkBytes: options.chunkBytes ?? defaultChunkBytes,
      ...(mountFrom === undefined ? {} : { mountFrom }),
    });
  }

  /** {@inheritDoc Tagger.tag} */
  async tag(
    descriptor: Descriptor,
    reference: string,
    options: OperationOptions = {},
  ): Promise<void> {
    validateName(reference, descriptor.digest);
    const { bytes } =
      this.#pushed?.digest === descriptor.digest
        ? this.#pushed
        : await this.fetchReference(descriptor.digest, options);
    await this.#manifests.put(descriptor, bytes, reference, options);
  }

  /** The tags, in the registry's order. */
  async *tags(options: OperationOptions = {}): AsyncGenerator<string, void, undefined> {
    const pages = readPages(this.#client, {
      schema: tagsSchema,
      request: {
        ...this.#common(options),
        target: `/v2/${this.name}/tags/list?n=1000`,
        expect: [200],
        what: `list tags of ${this.#fullName}`,
      },
    });
    for await (const page of pages) yield* page.tags ?? [];
  }

  /** The manifests about a manifest: by the referrers API, else by the fallback tag. */
  async *referrers(
    subject: Descriptor,
    options: ReferrersOptions = {},
  ): AsyncGenerator<Descriptor, void, undefined> {
    const { artifactType } = options;
    const query = artifactType === undefined ? "" : `?${new URLSearchParams({ artifactType })}`;
    const pages = readPages(this.#client, {
      schema: referrersSchema,
      request: {
        ...this.#common(options),
        target: `/v2/${this.name}/referrers/${subject.digest}${query}`,
        headers: { accept: mediaTypes.ociIndex },
        expect: [200, 404],
        what: `list referrers of ${subject.digest} in ${this.#fullName}`,
      },
    });
    // A registry may ignore the filter, so it is applied here in any case.
    const fits = (one: Descriptor) =>
      artifactType === undefined || one.artifactType === artifactType;
    let isSupported = false;
    for await (const page of pages) {
      isSupported = true;
      yield* page.manifests.filter(fits);
    }
    if (isSupported) return;
    yield* (await this.#manifests.fallbackEntries(subject.digest, options)).filter(fits);
  }

  /** {@inheritDoc GraphTarget.predecessors} */
  predecessors(descriptor: Descriptor, options: OperationOptions = {}): AsyncIterable<Descriptor> {
    return this.referrers(descriptor, options);
  }

  /**
   * Deletes a manifest, a blob, or a tag. A manifest also leaves its subject's fallback list.
   *
   * @throws {@link OrasError} `OCI_NOT_FOUND`, `ORAS_UNSUPPORTED` when the registry does not delete.
   */
  async delete(target: Descriptor | string, options: OperationOptions = {}): Promise<void> {
    const isTag = typeof target === "string";
    const isManifest = !isTag && hasSuccessors(target.mediaType);
    const referrer = isManifest
      ? describeReferrer(target, (await this.fetchReference(target.digest, options)).bytes)
      : undefined;
    const response = await this.#client.request({
      ...this.#common(options, "delete,pull,push"),
      method: "DELETE",
      target: isTag ? manifestPath(this.name, target) : this.#pathOf(target),
      expect: [200, 202, 204, 400, 405],
      what: `delete ${isTag ? target : target.digest} of ${this.#fullName}`,
    });
    response.discard();
    if (response.status >= 400) throw cannotDelete(this.host, response.status);
    await this.#manifests.forgetReferrer(referrer, options);
  }

  /** The repository beside this one that content comes from. */
  #neighbour({ origin }: BlobSource): string | undefined {
    return origin?.host === this.host && origin.name !== this.name ? origin.name : undefined;
  }

  get #fullName(): string {
    return `${this.host}/${this.name}`;
  }

  #pathOf({ mediaType, digest }: Descriptor): string {
    return hasSuccessors(mediaType) ? manifestPath(this.name, digest) : blobPath(this.name, digest);
  }

  #common(options: OperationOptions, actions = "pull"): RepositoryRequest {
    return {
      endpoint: this.#endpoint,
      repository: this.name,
      scopes: [`repository:${this.name}:${actions}`],
      signal: options.signal,
    };
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

function cannotDelete(host: string, status: number): OrasError {
  return new OrasError({
    code: "ORAS_UNSUPPORTED",
    message: `cannot delete in ${host}: it replied with status ${status}`,
    details: { host, status },
    hint: "many registries delete only where their owner allows it",
  });
}

import { type Descriptor, describe } from "../content/descriptor.ts";
import type { Digest } from "../content/digest.ts";
import { parseManifest } from "../content/manifest.ts";
import { mediaTypes } from "../content/media-types.ts";
import { describeReferrer } from "../content/referrer.ts";
import type { FetchedManifest, OperationOptions } from "../content/target.ts";
import { OrasError } from "../errors.ts";
import type { RegistryClient, RegistryRequest } from "../transport/client.ts";
import { checkStored } from "./check-stored.ts";
import { fetchManifest } from "./manifests.ts";
import { manifestPath } from "./paths.ts";
import { changeFallbackIndex, fallbackTag } from "./referrers.ts";

/** What all requests to a repository share. */
export type RepositoryRequest = Pick<
  RegistryRequest,
  "endpoint" | "scopes" | "repository" | "signal"
>;

/** The manifests of one repository, and the fallback lists of referrers among them. */
export class ManifestStore {
  readonly #client: RegistryClient;
  readonly #name: string;
  readonly #fullName: string;
  readonly #common: (options: OperationOptions, actions?: string) => RepositoryRequest;

  /**
   * @param name - The repository.
   * @param fullName - The repository with its host, for messages.
   * @param common - Makes what all requests share.
   */
  constructor(
    client: RegistryClient,
    name: string,
    fullName: string,
    common: (options: OperationOptions, actions?: string) => RepositoryRequest,
  ) {
    this.#client = client;
    this.#name = name;
    this.#fullName = fullName;
    this.#common = common;
  }

  /** Fetches a manifest by tag or digest. */
  async get(reference: string, options: OperationOptions): Promise<FetchedManifest> {
    const request = {
      ...this.#common(options),
      target: manifestPath(this.#name, reference),
      what: `fetch manifest ${reference} of ${this.#fullName}`,
    };
    return fetchManifest(this.#client, request, reference);
  }

  /** Puts a manifest; where the registry keeps no lists of referrers, its subject's list is kept too. */
  async put(
    descriptor: Descriptor,
    bytes: Uint8Array,
    reference: string,
    options: OperationOptions,
  ): Promise<void> {
    const response = await this.#client.request({
      ...this.#common(options, "pull,push"),
      method: "PUT",
      target: manifestPath(this.#name, reference),
      headers: { "content-type": descriptor.mediaType },
      body: async () => bytes,
      expect: [200, 201, 202],
      what: `push manifest ${reference} to ${this.#fullName}`,
    });
    response.discard();
    checkStored(response, descriptor.digest);
    const referrer = describeReferrer(descriptor, bytes);
    if (referrer === undefined || response.header("oci-subject") !== undefined) return;
    const { subject, entry } = referrer;
    const entries = await this.fallbackEntries(subject.digest, options);
    await this.#putFallback(subject.digest, changeFallbackIndex(entries, { add: entry }), options);
  }

  /** Takes a deleted manifest out of its subject's fallback list. */
  async forgetReferrer(
    referrer: ReturnType<typeof describeReferrer>,
    options: OperationOptions,
  ): Promise<void> {
    if (referrer === undefined) return;
    const { subject, entry } = referrer;
    const entries = await this.fallbackEntries(subject.digest, options);
    if (!entries.some(({ digest }) => digest === entry.digest)) return;
    const bytes = changeFallbackIndex(entries, { remove: entry.digest });
    await this.#putFallback(subject.digest, bytes, options);
  }

  /** The fallback list of a subject's referrers; no such tag is an empty one. */
  async fallbackEntries(
    subject: Digest,
    options: OperationOptions,
  ): Promise<readonly Descriptor[]> {
    const tag = fallbackTag(subject);
    try {
      const { bytes } = await this.get(tag, options);
      const document = parseManifest(bytes, { what: tag, maxBytes: bytes.byteLength });
      if (document.type === "index") return document.index.manifests;
    } catch (error) {
      if (error instanceof OrasError && error.code === "OCI_NOT_FOUND") return [];
      throw error;
    }
    throw new OrasError({
      code: "OCI_MEDIA_TYPE_MISMATCH",
      message: `cannot list referrers of ${subject}: tag ${tag} is not an index`,
    });
  }

  async #putFallback(subject: Digest, bytes: Uint8Array, options: OperationOptions): Promise<void> {
    await this.put(describe(mediaTypes.ociIndex, bytes), bytes, fallbackTag(subject), options);
  }
}

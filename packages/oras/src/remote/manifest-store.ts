import { type Descriptor, describe } from "../content/descriptor.ts";
import type { Digest } from "../content/digest.ts";
import { parseManifest } from "../content/manifest.ts";
import { mediaTypes } from "../content/media-types.ts";
import { describeReferrer } from "../content/referrer.ts";
import type { FetchedManifest, OperationOptions } from "../content/target.ts";
import { OrasError } from "../errors.ts";
import type { RegistryClient, RegistryRequest } from "../transport/client.ts";
import { checkStored } from "./check-stored.ts";
import { acceptedManifests, fetchManifest } from "./manifests.ts";
import { manifestPath } from "./paths.ts";
import { changeFallbackIndex, type FallbackChange, fallbackTag } from "./referrers.ts";

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
    await this.#changeFallback(subject.digest, { add: entry }, options);
  }

  /** Takes a deleted manifest out of its subject's fallback list. */
  async forgetReferrer(
    referrer: ReturnType<typeof describeReferrer>,
    options: OperationOptions,
  ): Promise<void> {
    if (referrer === undefined) return;
    const { subject, entry } = referrer;
    await this.#changeFallback(subject.digest, { remove: entry.digest }, options);
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

  /**
   * Changes a list that others change too, and that the registry does not lock: one change at a time in this client, and
   * each is looked at afterwards, because another client may have put a list without it meanwhile.
   */
  async #changeFallback(
    subject: Digest,
    change: FallbackChange,
    options: OperationOptions,
  ): Promise<void> {
    const counter = this.#client.retryCounter();
    await this.#client.inTurn(`${this.#fullName} ${subject}`, async () => {
      for (let isFirst = true; ; isFirst = false) {
        const entries = await this.fallbackEntries(subject, options);
        const isListed = entries.some(
          ({ digest }) => digest === (change.add?.digest ?? change.remove),
        );
        if (isListed === (change.add !== undefined)) return;
        if (!isFirst) await this.#client.waitForRetry(counter, lost(subject), options.signal);
        await this.#putFallback(subject, entries, change, options);
      }
    });
  }

  /** Entries whose manifests are gone make some registries refuse a list; they are left out then. */
  async #putFallback(
    subject: Digest,
    entries: readonly Descriptor[],
    change: FallbackChange,
    options: OperationOptions,
  ): Promise<void> {
    const put = async (manifests: readonly Descriptor[]): Promise<void> => {
      const bytes = changeFallbackIndex(manifests, change);
      await this.put(describe(mediaTypes.ociIndex, bytes), bytes, fallbackTag(subject), options);
    };
    try {
      await put(entries);
    } catch (error) {
      const status = error instanceof OrasError ? error.details["status"] : undefined;
      if (status !== 400 && status !== 404) throw error;
      const present: Descriptor[] = [];
      for (const entry of entries)
        if (await this.#isThere(entry.digest, options)) present.push(entry);
      if (present.length === entries.length) throw error;
      await put(present);
    }
  }

  async #isThere(digest: Digest, options: OperationOptions): Promise<boolean> {
    const response = await this.#client.request({
      ...this.#common(options),
      method: "HEAD",
      target: manifestPath(this.#name, digest),
      headers: { accept: acceptedManifests },
      expect: [200, 404],
      what: `look for ${digest} in ${this.#fullName}`,
    });
    response.discard();
    return response.status === 200;
  }
}

function lost(subject: Digest): OrasError {
  return new OrasError({
    code: "ORAS_BAD_RESPONSE",
    message: `cannot keep the list of what is attached to ${subject}: others change it all the time`,
    retryable: true,
  });
}

import type { Descriptor } from "../content/descriptor.ts";
import { hasSuccessors } from "../content/media-types.ts";
import { isRepository } from "../content/reference.ts";
import type {
  FetchedManifest,
  FetchOptions,
  OperationOptions,
  ReadonlyTarget,
  ReferenceFetcher,
} from "../content/target.ts";
import { verifyBytes, verifyContent } from "../content/verify.ts";
import { OrasError } from "../errors.ts";
import type { RegistryClient } from "../transport/client.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import { downloadBlob } from "./download.ts";
import {
  acceptedManifests,
  describeHead,
  fetchManifest,
  type ManifestRequest,
} from "./manifests.ts";
import { blobPath, manifestPath } from "./paths.ts";

/** One repository of a registry. */
export class RemoteRepository implements ReadonlyTarget, ReferenceFetcher {
  /** The host that users name, with the port if any. */
  readonly host: string;
  /** The repository's name: `library/debian`. */
  readonly name: string;
  readonly #client: RegistryClient;
  readonly #endpoint: Endpoint;

  /**
   * @param host - Host and port as in references.
   * @throws {@link OrasError} `OCI_INVALID_REFERENCE` for a bad name.
   */
  constructor(client: RegistryClient, host: string, name: string) {
    if (!isRepository(name)) {
      throw new OrasError({
        code: "OCI_INVALID_REFERENCE",
        message: `cannot use ${JSON.stringify(name.slice(0, 160))} as a repository name`,
      });
    }
    this.host = host;
    this.name = name;
    this.#client = client;
    this.#endpoint = client.endpoint(host);
  }

  /** The manifest behind a tag or digest, with one GET. */
  async fetchReference(
    reference: string,
    options: OperationOptions = {},
  ): Promise<FetchedManifest> {
    return fetchManifest(this.#client, this.#manifestRequest(reference, options), reference);
  }

  /** {@inheritDoc Resolver.resolve} */
  async resolve(reference: string, options: OperationOptions = {}): Promise<Descriptor> {
    const request = this.#manifestRequest(reference, options);
    const response = await this.#client.request({
      ...request,
      method: "HEAD",
      headers: { accept: acceptedManifests },
      expect: [200, 405],
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
        what: `fetch blob ${descriptor.digest} of ${this.host}/${this.name}`,
      },
    });
    return offset === 0 && options.verify !== false ? verifyContent(chunks, descriptor) : chunks;
  }

  /** {@inheritDoc ReadonlyStorage.exists} */
  async exists(descriptor: Descriptor, options: OperationOptions = {}): Promise<boolean> {
    const isManifest = hasSuccessors(descriptor.mediaType);
    const response = await this.#client.request({
      ...this.#common(options),
      method: "HEAD",
      target: isManifest
        ? manifestPath(this.name, descriptor.digest)
        : blobPath(this.name, descriptor.digest),
      ...(isManifest ? { headers: { accept: acceptedManifests } } : {}),
      expect: [200, 404],
      what: `look for ${descriptor.digest} in ${this.host}/${this.name}`,
    });
    response.discard();
    return response.status === 200;
  }

  #manifestRequest(reference: string, options: OperationOptions): ManifestRequest {
    return {
      ...this.#common(options),
      target: manifestPath(this.name, reference),
      what: `fetch manifest ${reference} of ${this.host}/${this.name}`,
    };
  }

  #common(
    options: OperationOptions,
  ): Pick<ManifestRequest, "endpoint" | "scopes" | "repository" | "signal"> {
    return {
      endpoint: this.#endpoint,
      repository: this.name,
      scopes: [`repository:${this.name}:pull`],
      signal: options.signal,
    };
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

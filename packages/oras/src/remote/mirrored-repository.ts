import type { Descriptor } from "../content/descriptor.ts";
import type { Digest } from "../content/digest.ts";
import { isRegistryHost } from "../content/reference.ts";
import type {
  ContentOrigin,
  FetchedManifest,
  FetchOptions,
  GraphTarget,
  OperationOptions,
  ReadonlyTarget,
  ReferenceFetcher,
} from "../content/target.ts";
import { verifyContent } from "../content/verify.ts";
import { OrasError } from "../errors.ts";
import type { RegistryClient } from "../transport/client.ts";
import type { MirrorOptions } from "../transport/endpoint.ts";
import { RemoteRepository } from "./repository.ts";

/** Where one registry can stand in for another, few tries are enough. */
const mirrorAttempts = 2;

/**
 * The repository of a host as it is read: from the host's mirrors in their order, then from the host itself. Whatever
 * a mirror fails with, the next one is asked; each is asked with its own credentials only.
 *
 * @returns The plain repository where the host has no mirror for it.
 * @throws {@link OrasError} `OCI_INVALID_REFERENCE` for a mirror's location that is malformed.
 */
export function openRepository(
  client: RegistryClient,
  host: string,
  name: string,
): RemoteRepository | MirroredRepository {
  const { mirrors = [], mirrorMode } = client.endpoint(host).options;
  const places = mirrors.flatMap((mirror) => placeOf(mirror, host, name));
  if (places.length === 0) return new RemoteRepository(client, host, name);
  const isLast = (index: number): boolean =>
    mirrorMode === "replace" && index === places.length - 1;
  const repositories = places.map(({ namespace, ...place }, index) => {
    const attempts = isLast(index) ? {} : { attempts: mirrorAttempts };
    return new RemoteRepository(client, place.host, place.name, { ...namespace, ...attempts });
  });
  const origin = mirrorMode === "replace" ? [] : [new RemoteRepository(client, host, name)];
  return new MirroredRepository([...repositories, ...origin]);
}

/** After so many entries of a list, the next registry's would be compared with too many. */
const maxComparedEntries = 10_000;

/** A repository that several registries have. It is only read. */
export class MirroredRepository implements ReadonlyTarget, ReferenceFetcher, GraphTarget {
  /** {@inheritDoc Fetcher.ownsNoChunks} */
  readonly ownsNoChunks = true;
  /** {@inheritDoc Fetcher.origin} */
  readonly origin?: ContentOrigin;
  readonly #repositories: readonly RemoteRepository[];
  /** How often content was delivered whole: who asks again got the wrong bytes, and the next one is asked. */
  readonly #delivered: Map<Digest, number> = new Map();
  #host: string;

  /** @param repositories - In the order they are asked; at least one. */
  constructor(repositories: readonly RemoteRepository[]) {
    this.#repositories = repositories;
    this.#host = repositories[0]?.host ?? "";
    const last = repositories.at(-1);
    if (last !== undefined) this.origin = last.origin;
  }

  /** {@inheritDoc Fetcher.place} */
  get place(): string {
    const { host = "", name = "" } = this.origin ?? {};
    return `${host}/${name} or one of its mirrors`;
  }

  /** The registry that was asked last. */
  get host(): string {
    return this.#host;
  }

  /** {@inheritDoc ReferenceFetcher.fetchReference} */
  async fetchReference(
    reference: string,
    options: OperationOptions = {},
  ): Promise<FetchedManifest> {
    return this.#first((repository) => repository.fetchReference(reference, options));
  }

  /** {@inheritDoc Resolver.resolve} */
  async resolve(reference: string, options: OperationOptions = {}): Promise<Descriptor> {
    return this.#first((repository) => repository.resolve(reference, options));
  }

  /** {@inheritDoc ReadonlyStorage.exists} */
  async exists(descriptor: Descriptor, options: OperationOptions = {}): Promise<boolean> {
    for (const repository of this.#repositories.slice(0, -1)) {
      if (await repository.exists(descriptor, options).catch(ignoreFailure)) return true;
    }
    return this.#repositories.at(-1)?.exists(descriptor, options) ?? false;
  }

  /** {@inheritDoc Fetcher.fetch} */
  async fetch(
    descriptor: Descriptor,
    options: FetchOptions = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    const isVerified = (options.offset ?? 0) === 0 && options.verify !== false;
    const chunks = this.#read(descriptor, options);
    return isVerified ? verifyContent(chunks, descriptor, this.place) : chunks;
  }

  /**
   * The manifests whose subject is `descriptor`.
   *
   * Entries are passed on as they come, so that whoever reads them ends a list that is too long. A mirror that fails in
   * the middle is followed by the next one, without the entries that were given already.
   */
  async *predecessors(
    descriptor: Descriptor,
    options: OperationOptions = {},
  ): AsyncGenerator<Descriptor, void, undefined> {
    const given = new Set<Digest>();
    for (let index = 0; ; index++) {
      // Each entry is left out once, so that a list without end cannot be one without entries.
      const earlier = new Set(given);
      try {
        for await (const one of this.#at(index).predecessors(descriptor, options)) {
          if (earlier.delete(one.digest)) continue;
          if (given.size <= maxComparedEntries) given.add(one.digest);
          yield one;
        }
        return;
      } catch (error) {
        const isLast = index === this.#repositories.length - 1;
        if (!mayAskNext(error) || isLast || given.size > maxComparedEntries) throw error;
      }
    }
  }

  /** A mirror that fails in the middle is followed by the next one from the same byte on. */
  async *#read(
    descriptor: Descriptor,
    options: FetchOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const delivered = this.#delivered.get(descriptor.digest) ?? 0;
    let index = Math.min(delivered, this.#repositories.length - 1);
    let offset = options.offset ?? 0;
    for (;;) {
      const repository = this.#at(index);
      try {
        const part = { ...options, offset, verify: false };
        for await (const chunk of await repository.fetch(descriptor, part)) {
          offset += chunk.byteLength;
          yield chunk;
        }
        this.#delivered.set(descriptor.digest, delivered + 1);
        return;
      } catch (error) {
        if (!mayAskNext(error) || index === this.#repositories.length - 1) throw error;
        index++;
      }
    }
  }

  async #first<T>(ask: (repository: RemoteRepository) => Promise<T>): Promise<T> {
    for (let index = 0; ; index++) {
      try {
        return await ask(this.#at(index));
      } catch (error) {
        if (!mayAskNext(error) || index === this.#repositories.length - 1) throw error;
      }
    }
  }

  #at(index: number): RemoteRepository {
    const repository = this.#repositories[index];
    if (repository === undefined) throw new Error("a mirrored repository without a registry");
    this.#host = repository.host;
    return repository;
  }
}

interface Place {
  readonly host: string;
  readonly name: string;
  readonly namespace: { readonly namespace?: string };
}

/** Where a mirror has a repository; nothing when it is not for it. */
function placeOf(mirror: MirrorOptions, host: string, name: string): readonly Place[] {
  const rest = withoutPrefix(name, mirror.prefix);
  if (rest === undefined) return [];
  const [mirrorHost = "", ...folders] = mirror.location.replace(/\/+$/, "").split("/");
  if (!isRegistryHost(mirrorHost)) {
    throw new OrasError({
      code: "OCI_INVALID_REFERENCE",
      message: `cannot use ${JSON.stringify(mirror.location.slice(0, 160))} as a mirror of ${host}`,
      hint: "mirrors are written HOST[:PORT][/PATH], without https://",
    });
  }
  const namespace = mirror.isProxy === true ? { namespace: host } : {};
  return [{ host: mirrorHost, name: [...folders, ...rest].join("/"), namespace }];
}

function withoutPrefix(name: string, prefix = ""): readonly string[] | undefined {
  if (prefix === "") return name.split("/");
  if (name === prefix) return name.split("/").slice(-1);
  return name.startsWith(`${prefix}/`) ? name.slice(prefix.length + 1).split("/") : undefined;
}

function mayAskNext(error: unknown): boolean {
  return error instanceof OrasError && error.code !== "ORAS_ABORTED";
}

function ignoreFailure(error: unknown): boolean {
  if (mayAskNext(error)) return false;
  throw error;
}

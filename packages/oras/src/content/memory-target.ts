import { isBoxError } from "@box/errors";
import { OrasError } from "../errors.ts";
import type { Descriptor } from "./descriptor.ts";
import { type Digest, validateName } from "./digest.ts";
import { hasSuccessors } from "./media-types.ts";
import { describeReferrer } from "./referrer.ts";
import {
  type BlobSource,
  bytesSource,
  type FetchOptions,
  type GraphTarget,
  type Target,
} from "./target.ts";
import { readAll, verifyContent } from "./verify.ts";

/** Content in memory: for tests, small artifacts and images made in code. */
export class MemoryTarget implements Target, GraphTarget {
  readonly #blobs: Map<Digest, Uint8Array> = new Map();
  readonly #tags: Map<string, Descriptor> = new Map();
  readonly #descriptors: Map<Digest, Descriptor> = new Map();

  /** {@inheritDoc Fetcher.fetch} */
  async fetch(
    descriptor: Descriptor,
    options: FetchOptions = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    const bytes = this.#blobs.get(descriptor.digest);
    if (bytes === undefined) throw notFound(descriptor.digest);
    const offset = options.offset ?? 0;
    const chunks = await bytesSource(bytes).open(offset);
    return offset === 0 && options.verify !== false ? verifyContent(chunks, descriptor) : chunks;
  }

  /** {@inheritDoc ReadonlyStorage.exists} */
  async exists(descriptor: Descriptor): Promise<boolean> {
    return this.#blobs.has(descriptor.digest);
  }

  /** {@inheritDoc Pusher.push} */
  async push(descriptor: Descriptor, source: BlobSource): Promise<void> {
    if (this.#blobs.has(descriptor.digest)) return;
    const { digest, size } = descriptor;
    const read = async (): Promise<Uint8Array> =>
      readAll(verifyContent(await source.open(0), descriptor, source.place), size, digest);
    // Wrong content may be an accident on the way: it is fetched once more, as layouts do.
    const bytes = await read().catch((error: unknown) => {
      if (isBoxError(error) && error.code === "OCI_DIGEST_MISMATCH") return read();
      throw error;
    });
    this.#blobs.set(descriptor.digest, bytes);
    this.#descriptors.set(descriptor.digest, descriptor);
  }

  /** {@inheritDoc Resolver.resolve} */
  async resolve(reference: string): Promise<Descriptor> {
    const found = this.#tags.get(reference) ?? this.#descriptors.get(reference as Digest);
    if (found === undefined) throw notFound(reference);
    return found;
  }

  /** {@inheritDoc Tagger.tag} */
  async tag(descriptor: Descriptor, reference: string): Promise<void> {
    validateName(reference, descriptor.digest);
    if (!this.#blobs.has(descriptor.digest)) throw notFound(descriptor.digest);
    this.#tags.set(reference, descriptor);
  }

  /** {@inheritDoc GraphTarget.predecessors} */
  async *predecessors(subject: Descriptor): AsyncGenerator<Descriptor, void, undefined> {
    for (const descriptor of this.#descriptors.values()) {
      const bytes = this.#blobs.get(descriptor.digest);
      if (!hasSuccessors(descriptor.mediaType) || bytes === undefined) continue;
      const referrer = describeReferrer(descriptor, bytes);
      if (referrer?.subject.digest === subject.digest) yield referrer.entry;
    }
  }

  /** All tags, in the order they were first set. */
  tags(): readonly string[] {
    return [...this.#tags.keys()];
  }
}

function notFound(what: string): OrasError {
  return new OrasError({
    code: "OCI_NOT_FOUND",
    message: `cannot find ${what} in memory`,
    details: { reference: what },
  });
}

import { openFile } from "@box/io/node";
import {
  bytesSource,
  type Descriptor,
  type Digest,
  describe,
  type FetchOptions,
  OrasError,
  type ReadonlyTarget,
  verifyContent,
} from "@box/oras";

/** Content made from an archive's files, and manifests made in memory. */
export class StagedTarget implements ReadonlyTarget {
  readonly #paths: Map<Digest, string> = new Map();
  readonly #bytes: Map<Digest, Uint8Array> = new Map();
  readonly #names: Map<string, Descriptor> = new Map();

  /** Lets a file stand for its digest. */
  addFile(digest: Digest, path: string): void {
    this.#paths.set(digest, path);
  }

  /** Keeps a manifest, and names it. */
  addManifest(mediaType: string, bytes: Uint8Array, names: readonly string[]): Descriptor {
    const descriptor = describe(mediaType, bytes);
    this.#bytes.set(descriptor.digest, bytes);
    for (const name of [...names, descriptor.digest]) this.#names.set(name, descriptor);
    return descriptor;
  }

  /** {@inheritDoc Fetcher.fetch} */
  async fetch(
    descriptor: Descriptor,
    options: FetchOptions = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    const { offset = 0 } = options;
    const bytes = this.#bytes.get(descriptor.digest);
    const path = this.#paths.get(descriptor.digest);
    if (bytes === undefined && path === undefined) throw notFound(descriptor.digest);
    const chunks =
      bytes === undefined ? readFrom(path ?? "", offset) : await bytesSource(bytes).open(offset);
    return offset === 0 && options.verify !== false ? verifyContent(chunks, descriptor) : chunks;
  }

  /** {@inheritDoc ReadonlyStorage.exists} */
  async exists({ digest }: Descriptor): Promise<boolean> {
    return this.#bytes.has(digest) || this.#paths.has(digest);
  }

  /** {@inheritDoc Resolver.resolve} */
  async resolve(reference: string): Promise<Descriptor> {
    const found = this.#names.get(reference);
    if (found === undefined) throw notFound(reference, [...this.#names.keys()]);
    return found;
  }
}

async function* readFrom(
  path: string,
  offset: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const stepBytes = 1024 * 1024;
  await using file = await openFile(path);
  const size = await file.size();
  for (let at = offset; at < size; at += stepBytes) {
    yield await file.read(at, Math.min(stepBytes, size - at));
  }
}

function notFound(what: string, names: readonly string[] = []): OrasError {
  const known = names.filter((name) => !name.startsWith("sha256:"));
  return new OrasError({
    code: "OCI_NOT_FOUND",
    message: `cannot find ${what} in the archive`,
    details: { reference: what },
    ...(known.length === 0 ? {} : { hint: `it holds ${known.slice(0, 10).join(", ")}` }),
  });
}

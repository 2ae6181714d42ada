import { randomUUID } from "node:crypto";
import type { Descriptor } from "../content/descriptor.ts";
import { type Digest, digestAlgorithm, digestOf } from "../content/digest.ts";
import type { RegistryStorage, StoredManifest, Upload } from "./storage.ts";

interface Repository {
  readonly blobs: Set<Digest>;
  readonly manifests: Map<Digest, StoredManifest>;
  readonly tags: Map<string, Digest>;
}

class MemoryUpload implements Upload {
  readonly id: string = randomUUID();
  readonly repository: string;
  readonly parts: Uint8Array[] = [];
  size = 0;

  constructor(repository: string) {
    this.repository = repository;
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.parts.push(bytes.slice());
    this.size += bytes.byteLength;
  }

  async pause(): Promise<void> {}
}

/** A registry's content in memory, for tests and demonstrations. */
export class MemoryRegistryStorage implements RegistryStorage {
  readonly #blobs: Map<Digest, Uint8Array> = new Map();
  readonly #repositories: Map<string, Repository> = new Map();
  readonly #uploads: Map<string, MemoryUpload> = new Map();

  /** Puts a blob in place without HTTP. */
  addBlob(repository: string, bytes: Uint8Array): Digest {
    const digest = digestOf(bytes);
    this.#blobs.set(digest, bytes);
    this.#ensure(repository).blobs.add(digest);
    return digest;
  }

  /** {@inheritDoc RegistryStorage.repositories} */
  async repositories(): Promise<readonly string[]> {
    return [...this.#repositories.keys()].sort();
  }

  /** {@inheritDoc RegistryStorage.blobSize} */
  async blobSize(repository: string, digest: Digest): Promise<number | undefined> {
    const isThere = this.#repositories.get(repository)?.blobs.has(digest) ?? false;
    return isThere ? this.#blobs.get(digest)?.byteLength : undefined;
  }

  /** {@inheritDoc RegistryStorage.readBlob} */
  async *readBlob(digest: Digest, start: number, end: number): AsyncIterable<Uint8Array> {
    const bytes = this.#blobs.get(digest) ?? new Uint8Array(0);
    const stepBytes = 256 * 1024;
    for (let position = start; position < end; position += stepBytes) {
      yield bytes.subarray(position, Math.min(position + stepBytes, end));
    }
  }

  /** {@inheritDoc RegistryStorage.mountBlob} */
  async mountBlob(from: string, to: string, digest: Digest): Promise<boolean> {
    if ((await this.blobSize(from, digest)) === undefined) return false;
    this.#ensure(to).blobs.add(digest);
    return true;
  }

  /** {@inheritDoc RegistryStorage.deleteBlob} */
  async deleteBlob(repository: string, digest: Digest): Promise<boolean> {
    return this.#repositories.get(repository)?.blobs.delete(digest) ?? false;
  }

  /** {@inheritDoc RegistryStorage.startUpload} */
  async startUpload(repository: string): Promise<Upload> {
    const upload = new MemoryUpload(repository);
    this.#uploads.set(upload.id, upload);
    return upload;
  }

  /** {@inheritDoc RegistryStorage.findUpload} */
  async findUpload(repository: string, id: string): Promise<Upload | undefined> {
    const upload = this.#uploads.get(id);
    return upload?.repository === repository ? upload : undefined;
  }

  /** {@inheritDoc RegistryStorage.finishUpload} */
  async finishUpload(upload: Upload, digest: Digest): Promise<boolean> {
    const parts = this.#uploads.get(upload.id)?.parts ?? [];
    this.#uploads.delete(upload.id);
    const bytes = new Uint8Array(Buffer.concat(parts));
    if (digestOf(bytes, digestAlgorithm(digest)) !== digest) return false;
    this.#blobs.set(digest, bytes);
    this.#ensure(upload.repository).blobs.add(digest);
    return true;
  }

  /** {@inheritDoc RegistryStorage.cancelUpload} */
  async cancelUpload(upload: Upload): Promise<void> {
    this.#uploads.delete(upload.id);
  }

  /** {@inheritDoc RegistryStorage.findManifest} */
  async findManifest(repository: string, reference: string): Promise<StoredManifest | undefined> {
    const found = this.#repositories.get(repository);
    const digest = found?.tags.get(reference) ?? (reference as Digest);
    return found?.manifests.get(digest);
  }

  /** {@inheritDoc RegistryStorage.putManifest} */
  async putManifest(repository: string, manifest: StoredManifest, tag?: string): Promise<void> {
    const found = this.#ensure(repository);
    found.manifests.set(manifest.digest, manifest);
    if (tag !== undefined) found.tags.set(tag, manifest.digest);
  }

  /** {@inheritDoc RegistryStorage.deleteManifest} */
  async deleteManifest(repository: string, digest: Digest): Promise<boolean> {
    const found = this.#repositories.get(repository);
    for (const [tag, target] of found?.tags ?? []) if (target === digest) found?.tags.delete(tag);
    return found?.manifests.delete(digest) ?? false;
  }

  /** {@inheritDoc RegistryStorage.deleteTag} */
  async deleteTag(repository: string, tag: string): Promise<boolean> {
    return this.#repositories.get(repository)?.tags.delete(tag) ?? false;
  }

  /** {@inheritDoc RegistryStorage.tags} */
  async tags(repository: string): Promise<readonly string[] | undefined> {
    const found = this.#repositories.get(repository);
    return found === undefined ? undefined : [...found.tags.keys()].sort();
  }

  /** {@inheritDoc RegistryStorage.referrers} */
  async referrers(repository: string, subject: Digest): Promise<readonly Descriptor[]> {
    const manifests = this.#repositories.get(repository)?.manifests.values() ?? [];
    return [...manifests].filter((one) => one.subject === subject).map((one) => one.listed);
  }

  #ensure(name: string): Repository {
    const known = this.#repositories.get(name);
    if (known !== undefined) return known;
    const made: Repository = { blobs: new Set(), manifests: new Map(), tags: new Map() };
    this.#repositories.set(name, made);
    return made;
  }
}

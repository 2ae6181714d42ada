import { isBoxError } from "@box/errors";
import { tarEnd, tarPadding } from "@box/tar";
import type { Descriptor } from "../content/descriptor.ts";
import { type Digest, digestAlgorithm, digestHex, validateName } from "../content/digest.ts";
import { maxManifestBytes } from "../content/manifest.ts";
import { hasSuccessors, isIndexType, mediaTypes } from "../content/media-types.ts";
import { releaseChunk } from "../content/release-chunk.ts";
import {
  type BlobSource,
  bytesSource,
  type CopyDestination,
  type OperationOptions,
} from "../content/target.ts";
import { readAll, verifyContent } from "../content/verify.ts";
import { OrasError } from "../errors.ts";
import { throwIfAborted } from "../transport/pacing.ts";
import type { ArchiveFormat } from "./archive-format.ts";
import type { ArchiveSink } from "./archive-sink.ts";
import { dockerListing, isDockerTag, layoutIndex, repositoriesFile } from "./listing-files.ts";
import { memberHeader } from "./tar-member.ts";
import { WrittenManifests } from "./written-manifests.ts";

/** Options of archives that are written. */
export interface ArchiveWriterOptions {
  /** The form; `oci-archive` unless given. */
  readonly format?: ArchiveFormat;
  /** The most bytes of a manifest; 4 MiB unless given. */
  readonly maxManifestBytes?: number;
}

const configTypes: ReadonlySet<string> = new Set([mediaTypes.ociConfig, mediaTypes.dockerConfig]);

/**
 * Writes content into an archive as it comes, one blob at a time; the files that list images come last. The same content
 * in the same order gives the same bytes.
 */
export class ArchiveWriter implements CopyDestination {
  readonly #sink: ArchiveSink;
  readonly #format: ArchiveFormat;
  readonly #maxManifestBytes: number;
  readonly #manifests: WrittenManifests = new WrittenManifests();
  readonly #sizes: Map<Digest, number> = new Map();
  readonly #folders: Set<string> = new Set();
  #position = 0;
  #turn: Promise<unknown> = Promise.resolve();
  /** What went wrong in the middle of a blob that could not be taken back. */
  #failure: unknown;

  constructor(sink: ArchiveSink, options: ArchiveWriterOptions = {}) {
    this.#sink = sink;
    this.#format = options.format ?? "oci-archive";
    this.#maxManifestBytes = options.maxManifestBytes ?? maxManifestBytes;
  }

  /** {@inheritDoc ReadonlyStorage.exists} */
  async exists({ digest, size }: Descriptor): Promise<boolean> {
    return this.#sizes.get(digest) === size;
  }

  /** {@inheritDoc Pusher.push} */
  push(descriptor: Descriptor, source: BlobSource, options: OperationOptions = {}): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#sizes.has(descriptor.digest)) return;
      if (hasSuccessors(descriptor.mediaType))
        await this.#pushManifest(descriptor, source, options);
      else await this.#pushBlob(descriptor, source, options);
      this.#sizes.set(descriptor.digest, descriptor.size);
    });
  }

  /** {@inheritDoc Tagger.tag} */
  tag(descriptor: Descriptor, reference: string): Promise<void> {
    return this.#inTurn(async () => {
      validateName(reference, descriptor.digest);
      if (!this.#manifests.has(descriptor.digest)) throw notThere(descriptor);
      const isNameless = this.#format === "docker-archive-legacy" && !isDockerTag(reference);
      if (isNameless) throw notDockerTag(reference);
      this.#manifests.name(descriptor, reference);
    });
  }

  /** Writes the files that list images, and the archive's end. */
  finish(): Promise<void> {
    return this.#inTurn(async () => {
      const entries = this.#manifests.entries();
      const hasLayout = this.#format !== "docker-archive-legacy";
      if (hasLayout) await this.#begin();
      if (hasLayout) await this.#addFile("index.json", layoutIndex(entries));
      if (this.#format !== "oci-archive") {
        await this.#addFile(
          "manifest.json",
          dockerListing(entries, (blob) => this.#pathOf(blob)),
        );
      }
      const repositories = hasLayout ? undefined : repositoriesFile(entries);
      if (repositories !== undefined) await this.#addFile("repositories", repositories);
      await this.#append(tarEnd());
    });
  }

  /** One after the other: an archive has one end to write at. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    try {
      if (this.#failure !== undefined) throw this.#failure;
      return await work();
    } finally {
      resolve();
    }
  }

  async #pushManifest(
    descriptor: Descriptor,
    source: BlobSource,
    options: OperationOptions,
  ): Promise<void> {
    const { digest, mediaType } = descriptor;
    if (isIndexType(mediaType) && this.#format !== "oci-archive") {
      throw notForDocker(digest, "it is an index, and docker archives hold images of one platform");
    }
    const chunks = verifyContent(await source.open(0), descriptor, source.place);
    const bytes = await readAll(chunks, this.#maxManifestBytes, `manifest ${digest}`);
    // Old archives have no manifests: manifest.json says it all.
    const isLegacy = this.#format === "docker-archive-legacy";
    if (!isLegacy) await this.#pushBlob(descriptor, bytesSource(bytes), options);
    const isImage = this.#manifests.add(descriptor, bytes);
    if (isLegacy && !isImage) throw notForDocker(digest, "it is an artifact, and no image");
  }

  /** Wrong content may be an accident on its way: it is fetched once more where that is possible, as layouts do. */
  async #pushBlob(
    descriptor: Descriptor,
    source: BlobSource,
    options: OperationOptions,
  ): Promise<void> {
    await this.#begin();
    const path = this.#pathOf(descriptor);
    await this.#addFolders(path);
    try {
      await this.#writeBlob(path, descriptor, source, options);
    } catch (error) {
      const isWrong = isBoxError(error) && error.code === "OCI_DIGEST_MISMATCH";
      if (!isWrong || this.#failure !== undefined) throw error;
      await this.#writeBlob(path, descriptor, source, options);
    }
  }

  async #writeBlob(
    path: string,
    descriptor: Descriptor,
    source: BlobSource,
    { signal }: OperationOptions,
  ): Promise<void> {
    const start = this.#position;
    throwIfAborted(signal);
    const chunks = verifyContent(await source.open(0), descriptor, source.place);
    try {
      await this.#append(memberHeader(path, descriptor.size));
      for await (const chunk of chunks) {
        throwIfAborted(signal);
        await this.#append(chunk);
        if (source.ownsNoChunks && this.#sink.keepsNothing) releaseChunk(chunk);
      }
      await this.#append(tarPadding(descriptor.size));
    } catch (error) {
      await this.#takeBack(start, error);
      throw error;
    }
  }

  /** Cuts off a blob that did not come whole; an archive where that fails is worthless. */
  async #takeBack(position: number, reason: unknown): Promise<void> {
    try {
      if (this.#sink.rewind === undefined) throw reason;
      await this.#sink.rewind(position);
      this.#position = position;
    } catch {
      this.#failure = reason;
    }
  }

  /** The first file tells what the archive is. */
  async #begin(): Promise<void> {
    if (this.#position > 0 || this.#format === "docker-archive-legacy") return;
    await this.#addFile("oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  }

  async #addFolders(path: string): Promise<void> {
    if (!path.startsWith("blobs/")) return;
    for (const folder of ["blobs/", path.slice(0, path.lastIndexOf("/") + 1)]) {
      if (this.#folders.has(folder)) continue;
      await this.#append(memberHeader(folder, 0));
      this.#folders.add(folder);
    }
  }

  async #addFile(path: string, content: string): Promise<void> {
    const bytes = new TextEncoder().encode(content);
    await this.#append(memberHeader(path, bytes.byteLength));
    await this.#append(bytes);
    await this.#append(tarPadding(bytes.byteLength));
  }

  async #append(bytes: Uint8Array): Promise<void> {
    await this.#sink.append(bytes);
    this.#position += bytes.byteLength;
  }

  #pathOf({ digest, mediaType }: Descriptor): string {
    const hex = digestHex(digest);
    if (this.#format !== "docker-archive-legacy") return `blobs/${digestAlgorithm(digest)}/${hex}`;
    return configTypes.has(mediaType) ? `${hex}.json` : `${hex}/layer.tar`;
  }
}

function notThere({ digest }: Descriptor): OrasError {
  return new OrasError({
    code: "OCI_NOT_FOUND",
    message: `cannot name ${digest}: the archive has no such manifest`,
    details: { reference: digest },
  });
}

function notDockerTag(reference: string): OrasError {
  return new OrasError({
    code: "OCI_INVALID_REFERENCE",
    message: `cannot name an image ${JSON.stringify(reference.slice(0, 160))} in a docker archive: it is no NAME:TAG`,
    hint: "give the copy a name with a tag, such as app:v1",
  });
}

function notForDocker(digest: Digest, why: string): OrasError {
  return new OrasError({
    code: "ORAS_UNSUPPORTED",
    message: `cannot write ${digest} into a docker archive: ${why}`,
    details: { digest },
    hint: "copy the manifest of one image, or write an oci-archive",
  });
}

import { randomUUID } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { isBoxError } from "@box/errors";
import { ensureDirectory, errnoOf, removeFileDurably, writeFileDurably } from "@box/io/node";
import type { Descriptor } from "../content/descriptor.ts";
import { type Digest, digestAlgorithm, digestHex, isDigest } from "../content/digest.ts";
import { maxManifestBytes } from "../content/manifest.ts";
import { isTag } from "../content/reference.ts";
import { FolderUpload, finishFolderUpload, isUploadId } from "./folder-upload.ts";
import { readPart, readSmall } from "./read-file.ts";
import type { RegistryStorage, StoredManifest, Upload } from "./storage.ts";

/** Uploads that nobody has gone on with for so long are thrown away when the folder is opened. */
const abandonedMs = 24 * 3_600_000;

/**
 * A registry's content in a folder:
 *
 * ```
 * blobs/ALGORITHM/HEX                      content of all repositories, verified and synced
 * repositories/NAME/_blobs/ALGORITHM-HEX   the repository has this blob (empty file)
 * repositories/NAME/_manifests/...         the same for a manifest: its type and how it is listed
 * repositories/NAME/_tags/TAG              a digest
 * repositories/NAME/_referrers/SUBJECT/... the manifests about another one
 * uploads/ID                               what has arrived so far
 * ```
 *
 * Every file appears whole, by a rename. Names of repositories have no part that begins with an underscore.
 */
export class FolderRegistryStorage implements RegistryStorage {
  readonly #directory: string;
  readonly #uploads: Map<string, FolderUpload> = new Map();

  private constructor(directory: string) {
    this.#directory = resolve(directory);
  }

  /**
   * Opens a folder, and makes it when there is none.
   *
   * @param nowMs - Milliseconds since the epoch; uploads that were abandoned a day before are removed.
   */
  static async open(directory: string, nowMs: number): Promise<FolderRegistryStorage> {
    const storage = new FolderRegistryStorage(directory);
    const folder = storage.#uploadFolder;
    await ensureDirectory(folder);
    for (const name of await list(folder)) {
      const facts = await stat(join(folder, name)).catch(ignoreAbsent);
      const isAbandoned = facts !== undefined && nowMs - facts.mtimeMs > abandonedMs;
      if (isAbandoned) await rm(join(folder, name), { force: true });
    }
    return storage;
  }

  /** {@inheritDoc RegistryStorage.repositories} */
  async repositories(): Promise<readonly string[]> {
    const found: string[] = [];
    const walk = async (folder: string, name: string): Promise<void> => {
      const entries = await list(folder);
      if (name !== "" && entries.some((entry) => entry.startsWith("_"))) found.push(name);
      for (const entry of entries) {
        if (entry.startsWith("_")) continue;
        await walk(join(folder, entry), name === "" ? entry : `${name}/${entry}`);
      }
    };
    await walk(join(this.#directory, "repositories"), "");
    return found.sort();
  }

  /** {@inheritDoc RegistryStorage.blobSize} */
  async blobSize(repository: string, digest: Digest): Promise<number | undefined> {
    if (!(await isThere(this.#link(repository, "_blobs", digest)))) return undefined;
    const facts = await stat(this.#blob(digest)).catch(ignoreAbsent);
    return facts?.size;
  }

  /** {@inheritDoc RegistryStorage.readBlob} */
  readBlob(digest: Digest, start: number, end: number): AsyncIterable<Uint8Array> {
    return readPart(this.#blob(digest), start, end);
  }

  /** {@inheritDoc RegistryStorage.mountBlob} */
  async mountBlob(from: string, to: string, digest: Digest): Promise<boolean> {
    if ((await this.blobSize(from, digest)) === undefined) return false;
    await write(this.#link(to, "_blobs", digest), "");
    return true;
  }

  /** {@inheritDoc RegistryStorage.deleteBlob} */
  async deleteBlob(repository: string, digest: Digest): Promise<boolean> {
    return removeFileDurably(this.#link(repository, "_blobs", digest));
  }

  /** {@inheritDoc RegistryStorage.startUpload} */
  async startUpload(repository: string): Promise<Upload> {
    const id = randomUUID();
    const upload = await FolderUpload.create(join(this.#uploadFolder, id), id, repository);
    this.#uploads.set(id, upload);
    return upload;
  }

  /** {@inheritDoc RegistryStorage.findUpload} */
  async findUpload(repository: string, id: string): Promise<Upload | undefined> {
    if (!isUploadId(id)) return undefined;
    const upload = this.#uploads.get(id);
    return upload?.repository === repository ? upload : undefined;
  }

  /** {@inheritDoc RegistryStorage.finishUpload} */
  async finishUpload(upload: Upload, digest: Digest): Promise<boolean> {
    const known = this.#uploads.get(upload.id);
    if (known === undefined) return false;
    this.#uploads.delete(upload.id);
    if (!(await finishFolderUpload(known, digest, this.#blob(digest)))) return false;
    await write(this.#link(upload.repository, "_blobs", digest), "");
    return true;
  }

  /** {@inheritDoc RegistryStorage.cancelUpload} */
  async cancelUpload(upload: Upload): Promise<void> {
    await this.#uploads.get(upload.id)?.remove();
    this.#uploads.delete(upload.id);
  }

  /** {@inheritDoc RegistryStorage.findManifest} */
  async findManifest(repository: string, reference: string): Promise<StoredManifest | undefined> {
    const digest = isDigest(reference) ? reference : await this.#tagged(repository, reference);
    if (digest === undefined) return undefined;
    const link = await readSmall(this.#link(repository, "_manifests", digest));
    const bytes = await readSmall(this.#blob(digest), maxManifestBytes);
    if (link === undefined || bytes === undefined) return undefined;
    const facts = JSON.parse(new TextDecoder().decode(link)) as ManifestFacts;
    return { ...facts, digest, bytes };
  }

  /** {@inheritDoc RegistryStorage.putManifest} */
  async putManifest(repository: string, manifest: StoredManifest, tag?: string): Promise<void> {
    const { digest, mediaType, bytes, listed, subject } = manifest;
    const facts: ManifestFacts = {
      mediaType,
      listed,
      ...(subject === undefined ? {} : { subject }),
    };
    await write(this.#blob(digest), bytes);
    if (subject !== undefined) {
      await write(this.#referrer(repository, subject, digest), JSON.stringify(listed));
    }
    await write(this.#link(repository, "_manifests", digest), JSON.stringify(facts));
    if (tag !== undefined) await write(join(this.#repository(repository), "_tags", tag), digest);
  }

  /** {@inheritDoc RegistryStorage.deleteManifest} */
  async deleteManifest(repository: string, digest: Digest): Promise<boolean> {
    const known = await this.findManifest(repository, digest);
    for (const tag of (await this.tags(repository)) ?? []) {
      if ((await this.#tagged(repository, tag)) === digest) await this.deleteTag(repository, tag);
    }
    if (known?.subject !== undefined) {
      await removeFileDurably(this.#referrer(repository, known.subject, digest));
    }
    return removeFileDurably(this.#link(repository, "_manifests", digest));
  }

  /** {@inheritDoc RegistryStorage.deleteTag} */
  async deleteTag(repository: string, tag: string): Promise<boolean> {
    return removeFileDurably(join(this.#repository(repository), "_tags", tag));
  }

  /** {@inheritDoc RegistryStorage.tags} */
  async tags(repository: string): Promise<readonly string[] | undefined> {
    const entries = await list(this.#repository(repository));
    if (!entries.some((entry) => entry.startsWith("_"))) return undefined;
    return (await list(join(this.#repository(repository), "_tags"))).filter(isTag).sort();
  }

  /** {@inheritDoc RegistryStorage.referrers} */
  async referrers(repository: string, subject: Digest): Promise<readonly Descriptor[]> {
    const folder = dirname(this.#referrer(repository, subject, subject));
    const found: Descriptor[] = [];
    for (const name of (await list(folder)).sort()) {
      // Half-written files have names of their own.
      if (!/^sha\d{3}-[0-9a-f]+$/.test(name)) continue;
      const bytes = await readSmall(join(folder, name), maxManifestBytes);
      if (bytes !== undefined) found.push(JSON.parse(new TextDecoder().decode(bytes)));
    }
    return found;
  }

  /** {@inheritDoc RegistryStorage.close} */
  async close(): Promise<void> {
    const uploads = [...this.#uploads.values()];
    this.#uploads.clear();
    await Promise.all(uploads.map((upload) => upload.close()));
  }

  get #uploadFolder(): string {
    return join(this.#directory, "uploads");
  }

  #blob(digest: Digest): string {
    return join(this.#directory, "blobs", digestAlgorithm(digest), digestHex(digest));
  }

  #repository(name: string): string {
    return join(this.#directory, "repositories", ...name.split("/"));
  }

  #link(repository: string, kind: "_blobs" | "_manifests", digest: Digest): string {
    return join(this.#repository(repository), kind, fileNameOf(digest));
  }

  #referrer(repository: string, subject: Digest, digest: Digest): string {
    const folder = join(this.#repository(repository), "_referrers", fileNameOf(subject));
    return join(folder, fileNameOf(digest));
  }

  async #tagged(repository: string, tag: string): Promise<Digest | undefined> {
    const bytes = await readSmall(join(this.#repository(repository), "_tags", tag));
    const text = bytes === undefined ? "" : new TextDecoder().decode(bytes);
    return isDigest(text) ? text : undefined;
  }
}

/** What is kept about a manifest besides its bytes. */
type ManifestFacts = Pick<StoredManifest, "mediaType" | "listed" | "subject">;

function fileNameOf(digest: Digest): string {
  return `${digestAlgorithm(digest)}-${digestHex(digest)}`;
}

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await ensureDirectory(dirname(path));
  await writeFileDurably(path, content, { mode: 0o644 });
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(ignoreAbsent)) !== undefined;
}

async function list(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(ignoreAbsent)) ?? [];
}

function ignoreAbsent(error: unknown): undefined {
  const errno = isBoxError(error) ? error.code : errnoOf(error);
  if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
  throw error;
}

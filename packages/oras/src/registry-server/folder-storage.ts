import { randomUUID } from "node:crypto";
import { readdir, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isBoxError } from "@box/errors";
import {
  acquireLock,
  ensureDirectory,
  errnoOf,
  type Lock,
  removeFileDurably,
  writeFileDurably,
} from "@box/io/node";
import type { Descriptor } from "../content/descriptor.ts";
import { type Digest, isDigest } from "../content/digest.ts";
import { maxManifestBytes } from "../content/manifest.ts";
import { isTag } from "../content/reference.ts";
import { parseJson } from "../json/parse-json.ts";
import { ContentGuard } from "./content-guard.ts";
import {
  type CollectedRegistry,
  type CollectRegistryOptions,
  FolderGarbage,
} from "./folder-garbage.ts";
import { digestOfFileName, FolderPaths } from "./folder-paths.ts";
import { FolderUpload, finishFolderUpload, isUploadId } from "./folder-upload.ts";
import { readPart, readSmall } from "./read-file.ts";
import type { RegistryStorage, StoredManifest, Upload } from "./storage.ts";

/** Uploads that nobody has gone on with for so long are thrown away. */
const abandonedMs = 24 * 3_600_000;
/** What was asked for is marked as new again once it is older than this. */
const touchAfterMs = 1000;
/** A link repeats the annotations of its manifest. */
const maxLinkBytes = maxManifestBytes + 64 * 1024;

/** Options of {@link FolderRegistryStorage.open}. */
export interface OpenFolderOptions {
  /** The clock, in milliseconds since the epoch; the system's unless given. */
  readonly now?: () => number;
  /** What this process does, told to others that want the folder; `serve a registry` unless given. */
  readonly command?: string;
}

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
 * lock                                     held by the one process that has the folder open
 * ```
 *
 * Every file appears whole, by a rename. Names of repositories have no part that begins with an underscore. The time of
 * a link is when its content came or was asked for last: what is new is no garbage yet.
 */
export class FolderRegistryStorage implements RegistryStorage {
  readonly #paths: FolderPaths;
  readonly #lock: Lock;
  readonly #now: () => number;
  readonly #guard: ContentGuard = new ContentGuard();
  readonly #uploads: Map<string, FolderUpload> = new Map();

  private constructor(paths: FolderPaths, lock: Lock, now: () => number) {
    this.#paths = paths;
    this.#lock = lock;
    this.#now = now;
  }

  /**
   * Opens a folder, and makes it when there is none. It is this process's until it is closed.
   *
   * @param nowMs - Milliseconds since the epoch; uploads that were abandoned a day before are removed.
   * @throws IoError `IO_LOCK_HELD` when another process has it open.
   */
  static async open(
    directory: string,
    nowMs: number,
    options: OpenFolderOptions = {},
  ): Promise<FolderRegistryStorage> {
    const { now = Date.now, command = "serve a registry" } = options;
    const paths = new FolderPaths(directory);
    await ensureDirectory(paths.uploads);
    const lock = await acquireLock(join(paths.directory, "lock"), { command, timeoutMs: 0 });
    try {
      const storage = new FolderRegistryStorage(paths, lock, now);
      await storage.#removeAbandoned(nowMs);
      return storage;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /**
   * Removes what nothing leads to: uploads that were abandoned, blobs that no manifest of their repository names, and
   * manifests without a tag where that is wanted. Requests may be served meanwhile: what they ask for stays.
   *
   * @throws IoError; what was removed until then is gone, everything else is whole.
   */
  async collectGarbage(options: CollectRegistryOptions): Promise<CollectedRegistry> {
    if (!this.#guard.begin()) throw new Error("a collection of garbage is under way");
    try {
      if (!options.dryRun) await this.#removeAbandoned(options.nowMs);
      const source = {
        paths: this.#paths,
        guard: this.#guard,
        repositories: () => this.repositories(),
        readManifest: (repository: string, digest: Digest) =>
          this.#readManifest(repository, digest),
        taggedDigests: (repository: string) => this.#taggedDigests(repository),
      };
      return await new FolderGarbage(source, options).collect();
    } finally {
      this.#guard.end();
    }
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
    await walk(this.#paths.repositories, "");
    return found.sort();
  }

  /** {@inheritDoc RegistryStorage.blobSize} */
  async blobSize(repository: string, digest: Digest): Promise<number | undefined> {
    await this.#guard.use(digest);
    if (!(await this.#touch(this.#paths.link(repository, "_blobs", digest)))) return undefined;
    const facts = await stat(this.#paths.blob(digest)).catch(ignoreAbsent);
    return facts?.size;
  }

  /** {@inheritDoc RegistryStorage.readBlob} */
  readBlob(digest: Digest, start: number, end: number): AsyncIterable<Uint8Array> {
    return readPart(this.#paths.blob(digest), start, end);
  }

  /** {@inheritDoc RegistryStorage.mountBlob} */
  async mountBlob(from: string, to: string, digest: Digest): Promise<boolean> {
    if ((await this.blobSize(from, digest)) === undefined) return false;
    await write(this.#paths.link(to, "_blobs", digest), "");
    return true;
  }

  /** {@inheritDoc RegistryStorage.deleteBlob} */
  async deleteBlob(repository: string, digest: Digest): Promise<boolean> {
    return removeFileDurably(this.#paths.link(repository, "_blobs", digest));
  }

  /** {@inheritDoc RegistryStorage.startUpload} */
  async startUpload(repository: string): Promise<Upload> {
    const id = randomUUID();
    const upload = await FolderUpload.create(join(this.#paths.uploads, id), id, repository);
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
    await this.#guard.use(digest);
    // Its last bytes may have come long ago.
    await setTime(known.path, this.#now());
    if (!(await finishFolderUpload(known, digest, this.#paths.blob(digest)))) return false;
    await write(this.#paths.link(upload.repository, "_blobs", digest), "");
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
    await this.#guard.use(digest);
    await this.#touch(this.#paths.link(repository, "_manifests", digest));
    return this.#readManifest(repository, digest);
  }

  /** {@inheritDoc RegistryStorage.putManifest} */
  async putManifest(repository: string, manifest: StoredManifest, tag?: string): Promise<void> {
    const { digest, mediaType, bytes, listed, subject } = manifest;
    const facts: ManifestFacts = {
      mediaType,
      listed,
      ...(subject === undefined ? {} : { subject }),
    };
    await this.#guard.use(digest);
    await write(this.#paths.blob(digest), bytes);
    if (subject !== undefined) {
      await write(this.#paths.referrer(repository, subject, digest), JSON.stringify(listed));
    }
    await write(this.#paths.link(repository, "_manifests", digest), JSON.stringify(facts));
    if (tag !== undefined) await write(this.#paths.tag(repository, tag), digest);
  }

  /** {@inheritDoc RegistryStorage.deleteManifest} */
  async deleteManifest(repository: string, digest: Digest): Promise<boolean> {
    const known = await this.findManifest(repository, digest);
    for (const tag of (await this.tags(repository)) ?? []) {
      if ((await this.#tagged(repository, tag)) === digest) await this.deleteTag(repository, tag);
    }
    if (known?.subject !== undefined) {
      await removeFileDurably(this.#paths.referrer(repository, known.subject, digest));
    }
    return removeFileDurably(this.#paths.link(repository, "_manifests", digest));
  }

  /** {@inheritDoc RegistryStorage.deleteTag} */
  async deleteTag(repository: string, tag: string): Promise<boolean> {
    return removeFileDurably(this.#paths.tag(repository, tag));
  }

  /** {@inheritDoc RegistryStorage.tags} */
  async tags(repository: string): Promise<readonly string[] | undefined> {
    const entries = await list(this.#paths.repository(repository));
    if (!entries.some((entry) => entry.startsWith("_"))) return undefined;
    return (await list(this.#paths.tags(repository))).filter(isTag).sort();
  }

  /** {@inheritDoc RegistryStorage.referrers} */
  async referrers(repository: string, subject: Digest): Promise<readonly Descriptor[]> {
    const folder = dirname(this.#paths.referrer(repository, subject, subject));
    const found: Descriptor[] = [];
    for (const name of (await list(folder)).sort()) {
      // Half-written files have names of their own.
      if (digestOfFileName(name) === undefined) continue;
      const bytes = await readSmall(join(folder, name), maxManifestBytes);
      if (bytes !== undefined) found.push(JSON.parse(new TextDecoder().decode(bytes)));
    }
    return found;
  }

  /** {@inheritDoc RegistryStorage.close} */
  async close(): Promise<void> {
    const uploads = [...this.#uploads.values()];
    this.#uploads.clear();
    try {
      await Promise.all(uploads.map((upload) => upload.pause()));
    } finally {
      await this.#lock.release();
    }
  }

  async #removeAbandoned(nowMs: number): Promise<void> {
    for (const id of await list(this.#paths.uploads)) {
      const path = join(this.#paths.uploads, id);
      const facts = await stat(path).catch(ignoreAbsent);
      if (facts === undefined || nowMs - facts.mtimeMs <= abandonedMs) continue;
      const upload = this.#uploads.get(id);
      if (upload === undefined) await rm(path, { force: true });
      else await this.cancelUpload(upload);
    }
  }

  async #readManifest(repository: string, digest: Digest): Promise<StoredManifest | undefined> {
    const link = await readSmall(this.#paths.link(repository, "_manifests", digest), maxLinkBytes);
    const bytes = await readSmall(this.#paths.blob(digest), maxManifestBytes);
    if (link === undefined || bytes === undefined) return undefined;
    const what = `link to manifest ${digest}`;
    const facts = parseJson(link, { what, maxBytes: maxLinkBytes }) as ManifestFacts;
    return { ...facts, digest, bytes };
  }

  async #taggedDigests(repository: string): Promise<readonly Digest[]> {
    const tags = (await this.tags(repository)) ?? [];
    const digests = await Promise.all(tags.map((tag) => this.#tagged(repository, tag)));
    return digests.filter((digest) => digest !== undefined);
  }

  /** Marks a link as asked for, unless it is new anyway. @returns false when it is not there. */
  async #touch(path: string): Promise<boolean> {
    const facts = await stat(path).catch(ignoreAbsent);
    const nowMs = this.#now();
    if (facts !== undefined && nowMs - facts.mtimeMs > touchAfterMs) await setTime(path, nowMs);
    return facts !== undefined;
  }

  async #tagged(repository: string, tag: string): Promise<Digest | undefined> {
    const bytes = await readSmall(this.#paths.tag(repository, tag));
    const text = bytes === undefined ? "" : new TextDecoder().decode(bytes);
    return isDigest(text) ? text : undefined;
  }
}

/** What is kept about a manifest besides its bytes. */
type ManifestFacts = Pick<StoredManifest, "mediaType" | "listed" | "subject">;

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await ensureDirectory(dirname(path));
  await writeFileDurably(path, content, { mode: 0o644 });
}

/** Whoever may read a folder need not be allowed to write to it: then nobody collects its garbage either. */
async function setTime(path: string, nowMs: number): Promise<void> {
  await utimes(path, nowMs / 1000, nowMs / 1000).catch(() => {});
}

async function list(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(ignoreAbsent)) ?? [];
}

function ignoreAbsent(error: unknown): undefined {
  const errno = isBoxError(error) ? error.code : errnoOf(error);
  if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
  throw error;
}

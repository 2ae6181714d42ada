import { dirname, join } from "node:path";
import type { FileSystem } from "@box/io/node";
import type { Descriptor } from "../content/descriptor.ts";
import { type Digest, isDigest } from "../content/digest.ts";
import type { OperationOptions } from "../content/target.ts";
import { throwIfAborted } from "../transport/pacing.ts";
import type { ContentGuard } from "./content-guard.ts";
import { digestOfFileName, type FolderPaths } from "./folder-paths.ts";
import { GarbageFiles } from "./garbage-files.ts";
import {
  isAboutContent,
  type ManifestNode,
  markManifests,
  parentsFirst,
  readManifestNode,
} from "./repository-marks.ts";
import type { StoredManifest } from "./storage.ts";

/** Options of {@link FolderRegistryStorage.collectGarbage}. */
export interface CollectRegistryOptions extends OperationOptions {
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /**
   * What came or was asked for since so long stays, because a push may be about to name it; an hour unless given. Less
   * than a push takes is safe only while the registry is not served.
   */
  readonly graceMs?: number;
  /**
   * What becomes of manifests that have no tag, that no index lists, and that are not attached to one that stays: they
   * are kept unless this says otherwise, because they can be pulled by digest.
   */
  readonly untagged?: "keep" | "remove";
  /** Whether all is only counted. */
  readonly dryRun?: boolean;
  /** The file system calls; the host's unless given. */
  readonly fs?: FileSystem;
}

/** A manifest of a repository. */
export interface RepositoryManifest {
  /** The repository. */
  readonly repository: string;
  /** The manifest. */
  readonly digest: Digest;
}

/** A manifest that cannot be read. */
export interface DamagedManifest extends RepositoryManifest {
  /** What is wrong with it. */
  readonly message: string;
}

/** What a collection of garbage removed, or would remove. */
export interface CollectedRegistry {
  /** Manifests without a tag. */
  readonly manifests: readonly RepositoryManifest[];
  /** Content that no repository has any more. */
  readonly blobs: readonly Pick<Descriptor, "digest" | "size">[];
  /** Its size together, in bytes. */
  readonly freedBytes: number;
  /** Nothing is taken from the repositories of these: nobody knows what they lead to. */
  readonly damaged: readonly DamagedManifest[];
}

/** A registry's folder, as a collection of garbage sees it. */
export interface GarbageSource {
  /** Where things are. */
  readonly paths: FolderPaths;
  /** What requests rely on. */
  readonly guard: ContentGuard;
  /** All repositories. */
  repositories(): Promise<readonly string[]>;
  /** A manifest; nothing when its link or its content is not there. */
  readManifest(repository: string, digest: Digest): Promise<StoredManifest | undefined>;
  /** What the tags of a repository lead to. */
  taggedDigests(repository: string): Promise<readonly Digest[]>;
}

const hourMs = 3_600_000;

/**
 * Collects the garbage of a registry's folder by mark and sweep: manifests without a tag where that is wanted, links of
 * repositories to blobs that no manifest of theirs leads to, then content without a link.
 *
 * Links are off the disk before the content that they lead to, so that a stop at any point leaves nothing that is named
 * and not there; the next collection goes on.
 */
export class FolderGarbage {
  readonly #source: GarbageSource;
  readonly #options: CollectRegistryOptions;
  readonly #files: GarbageFiles;
  readonly #oldestKeptMs: number;
  readonly #manifests: RepositoryManifest[] = [];
  readonly #damaged: DamagedManifest[] = [];
  /** Links that a dry run has passed over. */
  readonly #spared: Set<string> = new Set();

  constructor(source: GarbageSource, options: CollectRegistryOptions) {
    this.#source = source;
    this.#options = options;
    this.#files = new GarbageFiles(options.fs, options.dryRun);
    this.#oldestKeptMs = options.nowMs - (options.graceMs ?? hourMs);
  }

  /** Does the work. */
  async collect(): Promise<CollectedRegistry> {
    for (const repository of await this.#source.repositories()) {
      throwIfAborted(this.#options.signal);
      const nodes = await this.#readNodes(repository);
      if (nodes === undefined) continue;
      const gone = await this.#sweepManifests(repository, nodes);
      const kept = [...nodes.values()].filter(({ digest }) => !gone.has(digest));
      await this.#sweepLinks(repository, new Set(kept.flatMap(({ blobs }) => blobs)));
      await this.#sweepReferrers(repository, new Set(kept.map(({ digest }) => digest)));
    }
    const blobs = await this.#sweepContent(await this.#linked());
    const freedBytes = blobs.reduce((sum, { size }) => sum + size, 0);
    return { manifests: this.#manifests, blobs, freedBytes, damaged: this.#damaged };
  }

  /** @returns Nothing when a manifest cannot be read. */
  async #readNodes(repository: string): Promise<ReadonlyMap<Digest, ManifestNode> | undefined> {
    const nodes = new Map<Digest, ManifestNode>();
    const { paths } = this.#source;
    let isWhole = true;
    for (const digest of await this.#digestsIn(paths.links(repository, "_manifests"))) {
      const message = await this.#readNode(repository, digest, nodes);
      if (message === undefined) continue;
      this.#damaged.push({ repository, digest, message });
      isWhole = false;
    }
    return isWhole ? nodes : undefined;
  }

  /** @returns What is wrong with it. */
  async #readNode(
    repository: string,
    digest: Digest,
    nodes: Map<Digest, ManifestNode>,
  ): Promise<string | undefined> {
    try {
      const manifest = await this.#source.readManifest(repository, digest);
      if (manifest !== undefined) nodes.set(digest, readManifestNode(manifest));
      if (manifest !== undefined) return undefined;
    } catch (error) {
      if (isAboutContent(error)) return error.message;
      throw error;
    }
    const link = this.#source.paths.link(repository, "_manifests", digest);
    const isThere = (await this.#files.facts(link)) !== undefined;
    return isThere ? `cannot find manifest ${digest}: its content is lost` : undefined;
  }

  /** Removes what has no tag, where that is wanted; an index before what it lists, lest one stays without its parts. */
  async #sweepManifests(
    repository: string,
    nodes: ReadonlyMap<Digest, ManifestNode>,
  ): Promise<ReadonlySet<Digest>> {
    const gone = new Set<Digest>();
    if (this.#options.untagged !== "remove") return gone;
    const { paths } = this.#source;
    const roots = [...(await this.#source.taggedDigests(repository))];
    for (const digest of nodes.keys()) {
      if (!(await this.#isOld(paths.link(repository, "_manifests", digest)))) roots.push(digest);
    }
    const marked = markManifests(nodes, roots);
    const unmarked = [...nodes.values()].filter(({ digest }) => !marked.has(digest));
    const wanted = new Set<Digest>();
    for (const node of parentsFirst(unmarked)) {
      const { digest } = node;
      const isGone =
        !wanted.has(digest) &&
        (await this.#remove(digest, () => this.#removeManifest(repository, node)));
      if (isGone) gone.add(digest);
      if (isGone) this.#manifests.push({ repository, digest });
      // Someone has asked for it meanwhile: what it lists stays too.
      else for (const child of node.children) wanted.add(child);
    }
    return gone;
  }

  async #removeManifest(repository: string, { digest, subject }: ManifestNode): Promise<void> {
    const { paths } = this.#source;
    if (subject !== undefined)
      await this.#files.remove(paths.referrer(repository, subject, digest));
    await this.#removeLink(paths.link(repository, "_manifests", digest));
    await this.#files.sync(paths.links(repository, "_manifests"));
  }

  async #sweepLinks(repository: string, kept: ReadonlySet<Digest>): Promise<void> {
    const { paths } = this.#source;
    const folder = paths.links(repository, "_blobs");
    for (const digest of await this.#digestsIn(folder)) {
      const path = paths.link(repository, "_blobs", digest);
      if (kept.has(digest) || !(await this.#isOld(path))) continue;
      await this.#remove(digest, () => this.#removeLink(path));
    }
    await this.#files.sync(folder);
  }

  /** A stop in the middle of a push or of a removal leaves what lists a manifest that is not there. */
  async #sweepReferrers(repository: string, kept: ReadonlySet<Digest>): Promise<void> {
    const { paths } = this.#source;
    for (const subject of await this.#digestsIn(paths.referrers(repository))) {
      const folder = dirname(paths.referrer(repository, subject, subject));
      for (const digest of await this.#digestsIn(folder)) {
        const path = paths.referrer(repository, subject, digest);
        if (kept.has(digest) || !(await this.#isOld(path))) continue;
        await this.#remove(digest, () => this.#files.remove(path));
      }
    }
  }

  /** The digests that some repository has, as things are now. */
  async #linked(): Promise<ReadonlySet<Digest>> {
    const { paths } = this.#source;
    const linked = new Set<Digest>();
    for (const repository of await this.#source.repositories()) {
      for (const kind of ["_blobs", "_manifests"] as const) {
        for (const digest of await this.#digestsIn(paths.links(repository, kind))) {
          const isSpared = this.#spared.has(paths.link(repository, kind, digest));
          if (!isSpared) linked.add(digest);
        }
      }
    }
    return linked;
  }

  async #sweepContent(
    linked: ReadonlySet<Digest>,
  ): Promise<readonly Pick<Descriptor, "digest" | "size">[]> {
    const removed: Pick<Descriptor, "digest" | "size">[] = [];
    for (const algorithm of ["sha256", "sha384", "sha512"]) {
      const folder = this.#source.paths.blobs(algorithm);
      for (const name of await this.#files.list(folder)) {
        throwIfAborted(this.#options.signal);
        const digest = `${algorithm}:${name}`;
        if (!isDigest(digest) || linked.has(digest)) continue;
        const path = join(folder, name);
        const facts = await this.#files.facts(path);
        if (facts === undefined || facts.changedMs > this.#oldestKeptMs) continue;
        const isGone = await this.#remove(digest, () => this.#files.remove(path));
        if (isGone) removed.push({ digest, size: facts.size });
      }
      await this.#files.sync(folder);
      await this.#files.removeTemporaries(folder);
    }
    return removed;
  }

  /** @returns Whether it is gone, or would be. */
  #remove(digest: Digest, work: () => Promise<void>): Promise<boolean> {
    return this.#source.guard.remove(digest, work);
  }

  async #removeLink(path: string): Promise<void> {
    if (this.#options.dryRun) this.#spared.add(path);
    else await this.#files.remove(path);
  }

  async #isOld(path: string): Promise<boolean> {
    const facts = await this.#files.facts(path);
    return facts !== undefined && facts.changedMs <= this.#oldestKeptMs;
  }

  /** Half-written files have names of their own. */
  async #digestsIn(folder: string): Promise<readonly Digest[]> {
    const names = await this.#files.list(folder);
    return names.map(digestOfFileName).filter((digest) => digest !== undefined);
  }
}

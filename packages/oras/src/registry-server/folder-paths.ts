import { join, resolve } from "node:path";
import { type Digest, digestAlgorithm, digestHex, isDigest } from "../content/digest.ts";

/** What a repository links to in `blobs`. */
export type LinkKind = "_blobs" | "_manifests";

/** Where things are in the folder of a registry; `FolderRegistryStorage` tells how it is laid out. */
export class FolderPaths {
  /** The registry's folder, absolute. */
  readonly directory: string;

  constructor(directory: string) {
    this.directory = resolve(directory);
  }

  /** What has arrived of uploads. */
  get uploads(): string {
    return join(this.directory, "uploads");
  }

  /** All repositories. */
  get repositories(): string {
    return join(this.directory, "repositories");
  }

  /** Content of one algorithm. */
  blobs(algorithm: string): string {
    return join(this.directory, "blobs", algorithm);
  }

  /** Content. */
  blob(digest: Digest): string {
    return join(this.blobs(digestAlgorithm(digest)), digestHex(digest));
  }

  /** A repository. */
  repository(name: string): string {
    return join(this.repositories, ...name.split("/"));
  }

  /** The links of a repository. */
  links(repository: string, kind: LinkKind): string {
    return join(this.repository(repository), kind);
  }

  /** A link of a repository. */
  link(repository: string, kind: LinkKind, digest: Digest): string {
    return join(this.links(repository, kind), fileNameOf(digest));
  }

  /** The tags of a repository. */
  tags(repository: string): string {
    return join(this.repository(repository), "_tags");
  }

  /** A tag. */
  tag(repository: string, tag: string): string {
    return join(this.tags(repository), tag);
  }

  /** What is attached to the manifests of a repository, by subject. */
  referrers(repository: string): string {
    return join(this.repository(repository), "_referrers");
  }

  /** A manifest about another one. */
  referrer(repository: string, subject: Digest, digest: Digest): string {
    return join(this.referrers(repository), fileNameOf(subject), fileNameOf(digest));
  }
}

/** The digest that a link's name stands for; half-written files have names of their own. */
export function digestOfFileName(name: string): Digest | undefined {
  const digest = name.replace("-", ":");
  return isDigest(digest) ? digest : undefined;
}

function fileNameOf(digest: Digest): string {
  return `${digestAlgorithm(digest)}-${digestHex(digest)}`;
}

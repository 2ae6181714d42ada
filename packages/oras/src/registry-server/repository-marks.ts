import { isBoxError } from "@box/errors";
import type { Digest } from "../content/digest.ts";
import { parseManifest } from "../content/manifest.ts";
import { verifyBytes } from "../content/verify.ts";
import type { StoredManifest } from "./storage.ts";

/** What a manifest leads to. */
export interface ManifestNode {
  /** Its digest. */
  readonly digest: Digest;
  /** Config and layers. */
  readonly blobs: readonly Digest[];
  /** The manifests that it lists. */
  readonly children: readonly Digest[];
  /** The manifest that it is about. */
  readonly subject: Digest | undefined;
}

/**
 * Finds out what a manifest leads to.
 *
 * @throws OrasError of a manifest that rotted: nobody knows what it leads to then.
 */
export function readManifestNode(manifest: StoredManifest): ManifestNode {
  const { digest, bytes, mediaType } = manifest;
  verifyBytes(bytes, { mediaType, digest, size: manifest.listed.size });
  const document = parseManifest(bytes, { what: digest, mediaType });
  if (document.type === "index") {
    const { manifests, subject } = document.index;
    return { digest, blobs: [], children: digestsOf(manifests), subject: subject?.digest };
  }
  const { config, layers, subject } = document.manifest;
  return { digest, blobs: digestsOf([config, ...layers]), children: [], subject: subject?.digest };
}

/** Tells whether an error is about a manifest and not about the machine. */
export function isAboutContent(error: unknown): error is Error {
  return isBoxError(error) && (error.kind === "corrupt" || error.kind === "unsupported");
}

/**
 * Finds the manifests that stay: the given ones, what they list, and what is attached to any of them, and so on.
 *
 * @param roots - Those with a tag, and those that are too young to be judged.
 */
export function markManifests(
  nodes: ReadonlyMap<Digest, ManifestNode>,
  roots: Iterable<Digest>,
): ReadonlySet<Digest> {
  const attached = Map.groupBy(nodes.values(), ({ subject }) => subject);
  const marked = new Set<Digest>();
  const pending = [...roots];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const node = nodes.get(next);
    if (node === undefined || marked.has(next)) continue;
    marked.add(next);
    pending.push(...node.children, ...(attached.get(next) ?? []).map(({ digest }) => digest));
  }
  return marked;
}

/** Orders manifests so that each comes after those of them that list it. */
export function parentsFirst(nodes: readonly ManifestNode[]): readonly ManifestNode[] {
  const parentCounts = new Map(nodes.map(({ digest }) => [digest, 0]));
  const count = (node: ManifestNode, change: number): readonly Digest[] =>
    [...new Set(node.children)].filter((child) => {
      const before = parentCounts.get(child);
      if (before !== undefined) parentCounts.set(child, before + change);
      return before !== undefined && before + change === 0;
    });
  for (const node of nodes) count(node, 1);
  const known = new Map(nodes.map((node) => [node.digest, node]));
  const ordered = nodes.filter(({ digest }) => parentCounts.get(digest) === 0);
  for (const node of ordered) {
    // The list grows while it is gone through.
    for (const child of count(node, -1)) ordered.push(known.get(child) ?? node);
  }
  return ordered;
}

function digestsOf(descriptors: readonly { readonly digest: Digest }[]): readonly Digest[] {
  return descriptors.map(({ digest }) => digest);
}

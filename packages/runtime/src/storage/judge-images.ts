import { isBoxError } from "@box/errors";
import type { CollectedGarbage, ImageStore } from "@box/oci-images";
import type { Descriptor, Digest } from "@box/oras";
import { listBoxes } from "../state/boxes-table.ts";
import type { StateDatabase } from "../state/database.ts";
import { type FileFacts, readFileFacts } from "./files.ts";

/** An image of the store, and why it stays. */
export interface StoredImage {
  /** Its name; its digest when it has none. */
  readonly name: string;
  /** Blobs that it leads to and that are there, by digest. */
  readonly blobs: ReadonlyMap<Digest, FileFacts>;
  /** Why it stays. */
  readonly usedBy: readonly string[];
}

/** Digests of manifests that boxes were made from: the store keeps them though no name leads there any more. */
export function digestsOfBoxes(database: StateDatabase): ReadonlyMap<Digest, readonly string[]> {
  const users = new Map<Digest, string[]>();
  for (const { name, image, guestRootfs } of listBoxes(database)) {
    // The bootstrap image of box itself is assembled, and never in the store.
    const isStored = guestRootfs.type === "disk" && guestRootfs.reference !== undefined;
    const guestDigest = isStored ? guestRootfs.imageDigest : undefined;
    for (const digest of new Set([image.digest, guestDigest])) {
      if (digest === undefined) continue;
      const key = digest as Digest;
      users.set(key, [...(users.get(key) ?? []), `box ${name}`]);
    }
  }
  return users;
}

/** Finds every image that stays: those with a name, and those that boxes were made from. */
export async function judgeImages(
  store: ImageStore,
  users: ReadonlyMap<Digest, readonly string[]>,
): Promise<readonly StoredImage[]> {
  const { namesOf } = await import("@box/oras");
  const images: StoredImage[] = [];
  const unseen = new Set(users.keys());
  for (const root of (await store.layout.index()).manifests) {
    const blobs = await blobsOf(store, root);
    const boxes = [...users].filter(([digest]) => blobs.has(digest));
    for (const [digest] of boxes) unseen.delete(digest);
    const [name] = namesOf(root);
    const why = name === undefined ? "an entry of the store's index" : "its name in the store";
    const usedBy = [why, ...boxes.flatMap(([, names]) => names)];
    images.push({ name: name ?? root.digest, blobs, usedBy });
  }
  for (const digest of unseen) {
    const root = await resolveStored(store, digest);
    if (root === undefined) continue;
    images.push({
      name: digest,
      blobs: await blobsOf(store, root),
      usedBy: users.get(digest) ?? [],
    });
  }
  return images;
}

/** The manifest of a box's image; nothing when the store has it no more. */
async function resolveStored(store: ImageStore, digest: Digest): Promise<Descriptor | undefined> {
  try {
    return await store.layout.resolve(digest);
  } catch (error) {
    if (isBoxError(error) && error.code === "OCI_NOT_FOUND") return undefined;
    throw error;
  }
}

/** Collects, or in a dry run only finds, blobs that belong to no image that stays. */
export function collectImages(
  store: ImageStore,
  users: ReadonlyMap<Digest, readonly string[]>,
  options: {
    readonly nowMs: number;
    readonly graceMs?: number;
    readonly dryRun: boolean;
    readonly signal?: AbortSignal;
  },
): Promise<CollectedGarbage> {
  return store.collectGarbage({ ...options, keep: users.keys() });
}

async function blobsOf(store: ImageStore, root: Descriptor): Promise<Map<Digest, FileFacts>> {
  const { fetchManifestBytes, hasSuccessors, parseManifest, successorsOf } = await import(
    "@box/oras"
  );
  const blobs = new Map<Digest, FileFacts>();
  const pending: Descriptor[] = [root];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (blobs.has(next.digest)) continue;
    const file = await readFileFacts(store.layout.blobPath(next.digest));
    // Manifests of platforms that were never pulled are named by an index but are not there.
    if (file === undefined) continue;
    blobs.set(next.digest, file);
    if (!hasSuccessors(next.mediaType)) continue;
    const bytes = await fetchManifestBytes(store.layout, next);
    pending.push(...successorsOf(parseManifest(bytes, { what: next.digest })));
  }
  return blobs;
}

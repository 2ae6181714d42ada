import { join } from "node:path";
import { isBoxError } from "@box/errors";
import {
  type Descriptor,
  type Digest,
  hasSuccessors,
  type OciLayout,
  type OperationOptions,
  type StoredBlob,
  successorsOf,
  verifyContent,
} from "@box/oras";
import { removeDeadSpools } from "../archive/spool-folder.ts";
import type { ImageLimits } from "../image/image.ts";
import { type ReadNodeOptions, readNode } from "../platform/select.ts";
import { markAttached } from "./mark-attached.ts";

/** Who needs content for a while, although no name may lead to it any more. */
export interface Leases {
  /** What is kept at present, in all processes. */
  held(): Promise<readonly Descriptor[]>;
}

/** Options of `collectGarbage`. */
export interface CollectGarbageOptions extends OperationOptions {
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** Blobs younger than this stay, because someone may be about to name them; an hour unless given. */
  readonly graceMs?: number;
  /** Manifests and blobs that stay besides those that the index names. */
  readonly keep?: Iterable<Digest>;
  /** What is in use for a while and stays too; the layout's own leases unless given. */
  readonly leases?: Leases;
  /** Whether blobs are only counted. */
  readonly dryRun?: boolean;
}

/** What was removed, or would be. */
export interface CollectedGarbage {
  /** The blobs. */
  readonly removed: readonly StoredBlob[];
  /** The bytes of what processes left that were killed: half-fetched blobs and unpacked archives. */
  readonly leftoverBytes: number;
  /** The size of all together. */
  readonly freedBytes: number;
}

const hourMs = 3_600_000;

/**
 * Removes blobs that neither an entry of the index nor a lease leads to, by mark and sweep. Neither the index changes
 * meanwhile nor does a lease begin; a pull or an import that runs at the same time has one. What is attached to a
 * manifest that stays, such as a signature, stays too. What processes left that were killed goes as well: archives that
 * they unpacked at once, half-fetched blobs after an hour at least.
 *
 * A manifest that cannot be read stops it before anything is removed.
 */
export async function collectGarbage(
  layout: OciLayout,
  options: CollectGarbageOptions,
  limits: Partial<ImageLimits> = {},
): Promise<CollectedGarbage> {
  const { signal } = options;
  return layout.exclusively(async (changeIndex) => {
    const leased = await (options.leases === undefined ? layout.kept() : options.leases.held());
    const marked = new Set<Digest>(options.keep);
    const { manifests } = await layout.index();
    const kept = [...marked].map((digest) => resolveKept(layout, digest, signal));
    const known = (await Promise.all(kept)).filter((one) => one !== undefined);
    const markFrom = (root: Descriptor) => mark(layout, root, marked, { signal, limits });
    const named = await withoutAttached(layout, manifests);
    for (const root of [...named, ...leased, ...known]) await markFrom(root);
    await markAttached(layout, marked, markFrom, limits);
    const removed = await findUnmarked(layout, marked, options);
    if (!options.dryRun) {
      const going = new Set(removed.map(({ digest }) => digest));
      const isGoing = ({ digest }: Descriptor): boolean => going.has(digest);
      // First the entries of what was attached to something that goes.
      if (manifests.some(isGoing)) {
        await changeIndex((entries) => entries.filter((entry) => !isGoing(entry)));
      }
      for (const digest of going) await layout.removeBlob(digest);
    }
    const leftoverBytes = await removeLeftovers(layout, options);
    const freedBytes = removed.reduce((sum, { size }) => sum + size, leftoverBytes);
    return { removed, leftoverBytes, freedBytes };
  }, signal);
}

/** What a digest that stays leads to; nothing when it is not there, or is a blob and no manifest. */
async function resolveKept(
  layout: OciLayout,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<Descriptor | undefined> {
  try {
    return await layout.resolve(digest);
  } catch (error) {
    if (!isBoxError(error) || error.kind === "io") throw error;
    if (error.code === "OCI_NOT_FOUND") return undefined;
    // It may be a manifest that rotted, whose parts nobody knows of then.
    await verifyBlob(layout, digest, signal);
    return undefined;
  }
}

async function verifyBlob(
  layout: OciLayout,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<void> {
  for await (const { digest: found, size } of layout.blobs()) {
    if (found !== digest) continue;
    const descriptor = { mediaType: "application/octet-stream", digest, size };
    const chunks = await layout.fetch(descriptor, { signal, verify: false });
    for await (const _chunk of verifyContent(chunks, descriptor));
  }
}

async function mark(
  layout: OciLayout,
  root: Descriptor,
  marked: Set<Digest>,
  options: ReadNodeOptions,
): Promise<void> {
  const visited = new Set<Digest>();
  const pending: Descriptor[] = [root];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    marked.add(next.digest);
    if (visited.has(next.digest) || !hasSuccessors(next.mediaType)) continue;
    visited.add(next.digest);
    // Manifests of platforms that were never pulled are named by an index but are not there.
    if (!(await layout.exists(next))) continue;
    const { document } = await readNode(layout, next, options);
    pending.push(...successorsOf(document));
  }
}

/** What is attached to something is listed too, and stays or goes with that. */
async function withoutAttached(
  layout: OciLayout,
  entries: readonly Descriptor[],
): Promise<readonly Descriptor[]> {
  const own: Descriptor[] = [];
  for (const entry of entries) if (!(await layout.isAttached(entry))) own.push(entry);
  return own;
}

async function findUnmarked(
  layout: OciLayout,
  marked: ReadonlySet<Digest>,
  options: CollectGarbageOptions,
): Promise<readonly StoredBlob[]> {
  const oldestKeptMs = options.nowMs - (options.graceMs ?? hourMs);
  const removed: StoredBlob[] = [];
  for await (const blob of layout.blobs()) {
    if (marked.has(blob.digest) || blob.changedMs > oldestKeptMs) continue;
    removed.push(blob);
  }
  return removed;
}

async function removeLeftovers(
  layout: OciLayout,
  { nowMs, graceMs = hourMs, dryRun }: CollectGarbageOptions,
): Promise<number> {
  // A pull that was stopped a moment ago may be started again soon: it goes on where it was.
  const beforeMs = nowMs - Math.max(graceMs, hourMs);
  const partial = await layout.removePartials({ beforeMs, dryRun });
  return partial + (await removeDeadSpools(join(layout.directory, "ingest"), dryRun));
}

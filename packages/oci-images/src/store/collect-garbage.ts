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
import type { ImageLimits } from "../image/image.ts";
import { type ReadNodeOptions, readNode } from "../platform/select.ts";
import type { Leases } from "./leases.ts";

/** Options of `collectGarbage`. */
export interface CollectGarbageOptions extends OperationOptions {
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** Blobs younger than this stay, because someone may be about to name them; an hour unless given. */
  readonly graceMs?: number;
  /** Manifests and blobs that stay besides those that the index names. */
  readonly keep?: Iterable<Digest>;
  /** What is in use for a while and stays too; the leases of `ImageStore.lease` unless given. */
  readonly leases?: Pick<Leases, "held">;
  /** Whether blobs are only counted. */
  readonly dryRun?: boolean;
}

/** What was removed, or would be. */
export interface CollectedGarbage {
  /** The blobs. */
  readonly removed: readonly StoredBlob[];
  /** Their size together. */
  readonly freedBytes: number;
}

const hourMs = 3_600_000;

/**
 * Removes blobs that neither an entry of the index nor a lease leads to, by mark and sweep. Neither the index changes
 * meanwhile nor does a lease begin; a pull or an import that runs at the same time has one.
 *
 * A manifest that cannot be read stops it before anything is removed.
 */
export async function collectGarbage(
  layout: OciLayout,
  options: CollectGarbageOptions,
  limits: Partial<ImageLimits> = {},
): Promise<CollectedGarbage> {
  const { signal } = options;
  return layout.exclusively(async () => {
    const leased = (await options.leases?.held()) ?? [];
    const marked = new Set<Digest>(options.keep);
    const { manifests } = await layout.index();
    const kept = [...marked].map((digest) => resolveKept(layout, digest, signal));
    const known = (await Promise.all(kept)).filter((one) => one !== undefined);
    for (const root of [...manifests, ...leased, ...known])
      await mark(layout, root, marked, { signal, limits });
    return sweep(layout, marked, options);
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

async function sweep(
  layout: OciLayout,
  marked: ReadonlySet<Digest>,
  options: CollectGarbageOptions,
): Promise<CollectedGarbage> {
  const oldestKeptMs = options.nowMs - (options.graceMs ?? hourMs);
  const removed: StoredBlob[] = [];
  for await (const blob of layout.blobs()) {
    if (marked.has(blob.digest) || blob.changedMs > oldestKeptMs) continue;
    if (!options.dryRun) await layout.removeBlob(blob.digest);
    removed.push(blob);
  }
  return { removed, freedBytes: removed.reduce((sum, { size }) => sum + size, 0) };
}

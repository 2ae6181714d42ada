import { type Ext4Plan, planExt4, writeExt4 } from "@box/ext4";
import type { RandomAccess } from "@box/io";
import type { MergeLimits } from "../merge/limits.ts";
import { mergeLayers } from "../merge/merge-layers.ts";
import type { RootfsWarning } from "../merge/warning.ts";
import { faultOfLayers } from "./fault-of-layers.ts";
import { LayerSpool, type ScratchSpace } from "./layer-spool.ts";
import { bytesFromKey, type ResolvedRecipe, type RootfsRecipe, resolveRecipe } from "./recipe.ts";
import { writeContents } from "./write-contents.ts";

/** How far a build has come. */
export interface BuildProgress {
  /** First the layers are merged, then live content is written. */
  readonly stage: "merge" | "write";
  /** Layers merged, or bytes written. */
  readonly done: number;
  /** Of how many; bytes are an upper bound, since zeros are not written. */
  readonly total: number;
}

/** Options of {@link buildRootfs}. */
export interface BuildRootfsOptions {
  /** Other limits than the usual ones. */
  readonly limits?: Partial<MergeLimits>;
  /** Where to keep what the layers unpack to; they are unpacked twice without it, which takes more processor time. */
  readonly scratch?: ScratchSpace;
  /** Stops between two chunks. */
  readonly signal?: AbortSignal;
  /** Told about what was put right. */
  readonly onWarning?: (warning: RootfsWarning) => void;
  /** Told how far it has come. */
  readonly onProgress?: (progress: BuildProgress) => void;
}

/** A root file system that was built. */
export interface BuiltRootfs {
  /** Names the input: the same key, the same bytes. */
  readonly key: string;
  /** Size of the file system in bytes. */
  readonly sizeBytes: number;
  /** Files, directories and other nodes in it. */
  readonly nodeCount: number;
}

/**
 * What a file system is written to: something that is there, or a function that makes it once the size is known, as for a
 * format whose disks have a size from the start. It must read as zeros.
 */
export type RootfsSink = RandomAccess | ((sizeBytes: number) => Promise<RandomAccess>);

/**
 * Builds an ext4 file system from the layers of an image.
 *
 * Two passes: the layers are merged first, so that every block is planned before the first write; then they are read
 * again, from `scratch` where that is given, and live content is written to its places. The same recipe gives the same bytes on every machine.
 *
 * @param sink - Written from its start and cut to size where it can be; its old content must be empty or zeros.
 * @throws RootfsError; what `@box/tar`, `@box/ext4`, a layer or the sink throw. The sink is then of no use.
 */
export async function buildRootfs(
  recipe: RootfsRecipe,
  sink: RootfsSink,
  options: BuildRootfsOptions = {},
): Promise<BuiltRootfs> {
  return buildResolved(resolveRecipe(recipe), sink, options);
}

/** {@link buildRootfs} for a recipe whose key is known. */
export async function buildResolved(
  recipe: ResolvedRecipe,
  sink: RootfsSink,
  options: BuildRootfsOptions,
): Promise<BuiltRootfs> {
  try {
    if (options.scratch === undefined) return await buildFrom(recipe, sink, options);
    await using spool = await LayerSpool.open(options.scratch);
    // Without await the spool would be closed while the build still runs.
    return await buildFrom({ ...recipe, layers: spool.keep(recipe.layers) }, sink, options);
  } catch (error) {
    throw await faultOfLayers(recipe.layers, error, options.signal);
  }
}

async function buildFrom(
  { key, recorded, layers }: ResolvedRecipe,
  sinkOrMaker: RootfsSink,
  options: BuildRootfsOptions,
): Promise<BuiltRootfs> {
  const { signal, onProgress } = options;
  const { epochSeconds } = recorded.options;
  const stop = signal === undefined ? {} : { signal };
  const merged = await mergeLayers(layers, {
    epochSeconds,
    ...stop,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.onWarning === undefined ? {} : { onWarning: options.onWarning }),
    onLayer: (done, total) => onProgress?.({ stage: "merge", done, total }),
  });
  const plan = planFor(key, recorded.options, merged.tree);
  if (plan.clampedTimes > 0) options.onWarning?.(clampedTimes(plan.clampedTimes));
  const sink = typeof sinkOrMaker === "function" ? await sinkOrMaker(plan.sizeBytes) : sinkOrMaker;
  // The metadata comes last: until its first superblock is there, nothing takes the sink for a file system.
  await writeContents(plan, merged, layers, sink, {
    ...stop,
    onProgress: (done) => onProgress?.({ stage: "write", done, total: plan.sizeBytes }),
  });
  await writeExt4(plan, sink, stop);
  return { key, sizeBytes: plan.sizeBytes, nodeCount: merged.tree.nodeCount };
}

function planFor(
  key: string,
  options: ResolvedRecipe["recorded"]["options"],
  tree: Parameters<typeof planExt4>[0],
): Ext4Plan {
  const { sizeBytes, freeBytes, hasJournal, epochSeconds } = options;
  return planExt4(tree, {
    ...(sizeBytes === null ? {} : { sizeBytes }),
    ...(freeBytes === null ? {} : { freeBytes }),
    journal: hasJournal,
    epochSeconds,
    uuid: bytesFromKey(key, "uuid"),
    hashSeed: bytesFromKey(key, "hash-seed"),
  });
}

function clampedTimes(count: number): RootfsWarning {
  return {
    code: "ROOTFS_TIME_CLAMPED",
    message: `${count} file(s) have a time before 1901 or after 2446, which ext4 cannot hold; it became the nearest one`,
  };
}

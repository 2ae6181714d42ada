import { appendFile, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileSystem } from "@box/io/node";
import { BaseCache, type LayerSource, type RootfsRecipe } from "@box/rootfs";
import { directory, file, layer } from "../merge/layers.ts";

/** A cache in a folder of its own. */
export interface TestCache {
  readonly folder: string;
  readonly bases: string;
  readonly cache: BaseCache;
  /** A cache on the same folders, as another process has it. */
  open(fs?: FileSystem): BaseCache;
  /** Names in the folder of bases, sorted. */
  names(): Promise<string[]>;
  remove(): Promise<void>;
}

export async function makeTestCache(): Promise<TestCache> {
  const folder = await mkdtemp(join(tmpdir(), "box-bases-"));
  const bases = join(folder, "bases");
  const open = (fs?: FileSystem) => cacheIn(folder, fs);
  return {
    folder,
    bases,
    cache: open(),
    open,
    names: async () => (await readdir(bases).catch(() => [])).sort(),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

export function cacheIn(folder: string, fs?: FileSystem): BaseCache {
  return new BaseCache({
    directory: join(folder, "bases"),
    locksDirectory: join(folder, "locks"),
    ...(fs === undefined ? {} : { fs }),
  });
}

/** A small image without a journal: its base has less than a megabyte. */
export const recipe: RootfsRecipe = {
  layers: [layer(directory("etc"), file("etc/hostname", "box"), file("big", "x".repeat(50_000)))],
  options: { hasJournal: false },
};

/** The same recipe, which notes each reading of its layer in a file: a build reads it twice. */
export function countedRecipe(folder: string): RootfsRecipe {
  const [source] = recipe.layers as [LayerSource];
  const counted: LayerSource = {
    diffId: source.diffId,
    async *open(options) {
      await appendFile(join(folder, "readings"), "read\n");
      yield* source.open(options);
    },
  };
  return { ...recipe, layers: [counted] };
}

/** How many builds {@link countedRecipe} has seen. */
export async function buildCount(folder: string): Promise<number> {
  const text = await readFile(join(folder, "readings"), "utf8").catch(() => "");
  return text.split("\n").filter(Boolean).length / 2;
}

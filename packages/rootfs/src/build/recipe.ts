import { createHash } from "node:crypto";
import type { LayerSource } from "../merge/layer-source.ts";
import { type InjectedFile, injectedLayer } from "./injected-layer.ts";

/** Raised with every change of the bytes that a build makes from the same input. */
const writerVersion = 1;

/** Choices that decide the bytes of a root file system. */
export interface RootfsOptions {
  /** Size of the file system in bytes; as small as its content allows unless given. */
  readonly sizeBytes?: number;
  /** Free space in bytes, when no size is given; none unless given. */
  readonly freeBytes?: number;
  /** Whether it has a journal; yes unless said otherwise. */
  readonly hasJournal?: boolean;
  /** Time of everything that has none of its own, in seconds since 1970; 0 unless given. */
  readonly epochSeconds?: number;
}

/** Everything that decides the bytes of a root file system. */
export interface RootfsRecipe {
  /** The image's layers, lowest first. */
  readonly layers: readonly LayerSource[];
  /** Files put on top; none unless given. */
  readonly inject?: readonly InjectedFile[];
  /** Choices. */
  readonly options?: RootfsOptions;
}

/** A recipe as it is recorded: plain data, with digests in the place of content. */
export interface RecordedRecipe {
  /** Version of the writer. */
  readonly writerVersion: number;
  /** Digests of the uncompressed layers, lowest first. */
  readonly diffIds: readonly string[];
  /** Digest of the layer of injected files; `null` without any. */
  readonly injected: string | null;
  /** The choices, each with its value. */
  readonly options: {
    readonly sizeBytes: number | null;
    readonly freeBytes: number | null;
    readonly hasJournal: boolean;
    readonly epochSeconds: number;
  };
}

/** A recipe that is ready to be built. */
export interface ResolvedRecipe {
  /** Names the result: 64 hexadecimal digits, a digest of {@link RecordedRecipe}. */
  readonly key: string;
  /** What the key is made of. */
  readonly recorded: RecordedRecipe;
  /** The layers, that of the injected files last. */
  readonly layers: readonly LayerSource[];
}

/** Finds the key of a recipe. Reads no layer. */
export function resolveRecipe(recipe: RootfsRecipe): ResolvedRecipe {
  const { sizeBytes, freeBytes, hasJournal = true, epochSeconds = 0 } = recipe.options ?? {};
  const { inject = [] } = recipe;
  const top = inject.length === 0 ? undefined : injectedLayer(inject, epochSeconds);
  const recorded: RecordedRecipe = {
    writerVersion,
    diffIds: recipe.layers.map((layer) => layer.diffId),
    injected: top?.diffId ?? null,
    options: {
      sizeBytes: sizeBytes ?? null,
      freeBytes: freeBytes ?? null,
      hasJournal,
      epochSeconds,
    },
  };
  const key = createHash("sha256").update(JSON.stringify(recorded)).digest("hex");
  return { key, recorded, layers: top === undefined ? recipe.layers : [...recipe.layers, top] };
}

/** Sixteen bytes that follow from a key: the file system's id and its hash seed. */
export function bytesFromKey(key: string, purpose: "uuid" | "hash-seed"): Uint8Array {
  const bytes = createHash("sha256").update(`${purpose}:${key}`).digest().subarray(0, 16);
  // RFC 9562: version 8 (custom), variant 2.
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return Uint8Array.from(bytes);
}

import { type ErrorKind, isBoxError } from "@box/errors";
import type { LayerSource } from "../merge/layer-source.ts";

/** Kinds of faults that are about the content of a layer. */
const contentKinds: ReadonlySet<ErrorKind> = new Set([
  "corrupt",
  "conflict",
  "encrypted",
  "invalid-argument",
  "limit",
  "unsupported",
]);

/**
 * What is really wrong after a build failed: damage of what a layer is stored as, if there is any, whatever met it first;
 * else the error itself.
 */
export async function faultOfLayers(
  layers: readonly LayerSource[],
  error: unknown,
  signal?: AbortSignal,
): Promise<unknown> {
  if (!isBoxError(error) || !contentKinds.has(error.kind)) return error;
  try {
    const stop = signal === undefined ? {} : { signal };
    for (const layer of layers) await layer.verify?.(stop);
    return error;
  } catch (damage) {
    return damage;
  }
}

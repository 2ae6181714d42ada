import { toSourceError } from "../bytes/source-reader.ts";
import { Qcow2Error } from "../errors.ts";
import type { ResolvedFile } from "./resolver.ts";

/**
 * Does all of the steps, one after the other, whatever happens in one of them.
 *
 * @throws {@link Qcow2Error}, the first failure.
 */
export async function closeInOrder(
  steps: readonly (() => Promise<unknown> | undefined)[],
): Promise<void> {
  let first: Qcow2Error | undefined;
  for (const step of steps) {
    try {
      await step();
    } catch (cause) {
      first ??= cause instanceof Qcow2Error ? cause : toSourceError(cause, "close a file");
    }
  }
  if (first !== undefined) throw first;
}

/** Gives files back, all of them. Errors as {@link closeInOrder}. */
export async function closeAll(files: readonly ResolvedFile[]): Promise<void> {
  await closeInOrder(
    files.map(
      ({ source }) =>
        () =>
          source.close?.(),
    ),
  );
}

/** Gives back the files of what has failed: how that ends says nothing about the failure, and changes nothing. */
export async function closeUnused(files: readonly ResolvedFile[]): Promise<void> {
  await closeAll(files).catch(() => {});
}

/** Does work and then closes what it used; of two failures that of the work counts. */
export async function thenClose<Value>(
  work: () => Promise<Value>,
  steps: readonly (() => Promise<unknown> | undefined)[],
): Promise<Value> {
  let value: Value;
  try {
    value = await work();
  } catch (error) {
    await closeInOrder(steps).catch(() => {});
    throw error;
  }
  await closeInOrder(steps);
  return value;
}

import { type Name, shownName } from "../bytes/name-index.ts";
import { Qcow2Error } from "../errors.ts";
import { invalidArgument } from "../require-arguments.ts";
import type { DirtyRange } from "./read-bitmap.ts";

/** An image that a bitmap is merged from. */
interface BitmapSource {
  readonly sizeBytes: number;
  dirtyRanges(name: Name): AsyncGenerator<DirtyRange>;
}

/**
 * What a bitmap of another image marks. The first range is read at once: what is wrong with the bitmap shows before anything
 * is written.
 *
 * @throws {@link Qcow2Error} `QCOW2_INVALID_ARGUMENT` for a disk of another size, or what reading the bitmap throws.
 */
export async function rangesToMerge(
  image: BitmapSource,
  name: Name,
  sizeBytes: number,
): Promise<AsyncIterable<DirtyRange>> {
  if (typeof image?.dirtyRanges !== "function") {
    throw invalidArgument("a bitmap is merged from an open image");
  }
  requireSameSize(sizeBytes, image.sizeBytes);
  const ranges = image.dirtyRanges(name);
  const first = await ranges.next();
  return (async function* () {
    if (first.done) return;
    yield first.value;
    yield* ranges;
  })();
}

function requireSameSize(sizeBytes: number, otherBytes: number): void {
  if (sizeBytes === otherBytes) return;
  throw new Qcow2Error({
    code: "QCOW2_INVALID_ARGUMENT",
    message: `a bitmap of a disk of ${otherBytes} bytes cannot be merged into one of ${sizeBytes}`,
  });
}

/** Goes on with the ranges of a bitmap while it stays as it is; `QCOW2_BITMAP_IN_USE` once it does not. */
export async function* whileUnchanged(
  ranges: AsyncIterable<DirtyRange>,
  isSame: () => boolean,
  name: Name,
): AsyncGenerator<DirtyRange> {
  try {
    for await (const range of ranges) {
      if (!isSame()) throw changedMeanwhile(name);
      yield range;
    }
  } catch (error) {
    // How reading a bitmap failed that was taken away meanwhile says nothing.
    if (!isSame()) throw changedMeanwhile(name);
    throw error;
  }
  if (!isSame()) throw changedMeanwhile(name);
}

/** Says that a bitmap was read while it changed. */
function changedMeanwhile(name: Name): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_BITMAP_IN_USE",
    message: `the bitmap ${JSON.stringify(shownName(name))} was changed while it was read`,
  });
}

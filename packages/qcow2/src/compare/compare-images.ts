import type { RandomAccess } from "@box/io";
import { throwIfAborted } from "../bytes/source-reader.ts";
import { readPart, sizeOf } from "../convert/source-chunks.ts";
import { firstDifference, firstNonZero } from "./compare-bytes.ts";
import { diskExtents, type PairedPart, pairedParts } from "./paired-parts.ts";

/** How {@link compareImages} compares. */
export interface CompareImagesOptions {
  /** Whether sizes and allocation must be the same too, not only what a reader sees. */
  readonly isStrict?: boolean;
  /** Aborts between reads. */
  readonly signal?: AbortSignal;
  /** Told how far it is, in bytes of the larger disk; the last call is with all of it unless a difference was found. */
  readonly onProgress?: (progress: {
    readonly doneBytes: number;
    readonly totalBytes: number;
  }) => void;
}

/** What {@link compareImages} found. */
export interface ImageComparison {
  /** Whether nothing differs that counts. */
  readonly isIdentical: boolean;
  /** Whether the disks are of one size; a longer one may still be identical when its rest reads as zeros. */
  readonly hasSameSize: boolean;
  /** What differs first: `content`, or with `isStrict` also `size` and `allocation`. */
  readonly difference?: "size" | "allocation" | "content";
  /** First byte that differs, or where the ranges of different allocation start; absent for `size`. */
  readonly offset?: number;
}

/** Parts that are read at the same time. */
const partsInFlight = 4;
const partBytes = 2 ** 20;

/**
 * Compares what two disks read as, each over its whole chain, and finds the first byte that differs. Where both are
 * known to be zeros nothing is read. A disk that is shorter is taken to go on with zeros.
 *
 * With `isStrict` the sizes must be the same and the same ranges stored, compressed, zero or unallocated. A raw file
 * counts as stored throughout: where its holes are cannot be asked for.
 *
 * @param a - An open image, or any other file for a raw disk.
 * @param b - The other one.
 * @throws {@link Qcow2Error} what reading throws, `QCOW2_ABORTED`.
 */
export async function compareImages(
  a: RandomAccess,
  b: RandomAccess,
  options: CompareImagesOptions = {},
): Promise<ImageComparison> {
  const { signal, onProgress } = options;
  throwIfAborted(signal);
  const sizes = [await sizeOf(a), await sizeOf(b)] as const;
  const hasSameSize = sizes[0] === sizes[1];
  if (options.isStrict && !hasSameSize) {
    return { isIdentical: false, hasSameSize, difference: "size" };
  }
  const totalBytes = Math.max(...sizes);
  const parts = pairedParts({
    a: diskExtents(a, sizes[0], totalBytes),
    b: diskExtents(b, sizes[1], totalBytes),
    start: 0,
    end: totalBytes,
    maxBytes: partBytes,
    isStrict: options.isStrict,
  });
  const free: Uint8Array[] = [];
  const look = (part: PairedPart) => comparePart(a, b, part, free);
  const found = await findFirst(parts, look, ({ start, length }) => {
    throwIfAborted(signal);
    onProgress?.({ doneBytes: start + length, totalBytes });
  });
  if (found) return { isIdentical: false, hasSameSize, ...found };
  return { isIdentical: true, hasSameSize };
}

interface Difference {
  readonly difference: "allocation" | "content";
  readonly offset: number;
}

/** @param free - Buffers that nothing uses. */
async function comparePart(
  a: RandomAccess,
  b: RandomAccess,
  part: PairedPart,
  free: Uint8Array[],
): Promise<Difference | undefined> {
  const { start, length } = part;
  if (part.differsInAllocation) return { difference: "allocation", offset: start };
  if (!part.readsA && !part.readsB) return undefined;
  const buffers = [a, b].map(() => free.pop() ?? new Uint8Array(partBytes));
  const [bytesA, bytesB] = await Promise.all([
    part.readsA ? readPart(a, start, toLength(buffers[0], length)) : undefined,
    part.readsB ? readPart(b, start, toLength(buffers[1], length)) : undefined,
  ]);
  const at =
    bytesA && bytesB
      ? firstDifference(bytesA, bytesB)
      : firstNonZero(bytesA ?? bytesB ?? new Uint8Array(0));
  free.push(...buffers);
  return at < 0 ? undefined : { difference: "content", offset: start + at };
}

function toLength(buffer: Uint8Array | undefined, length: number): Uint8Array {
  return buffer?.subarray(0, length) ?? new Uint8Array(length);
}

/**
 * Looks at several parts at a time and takes the first answer in their order. Waits for all that was begun.
 *
 * @param onNone - Told of each part that has no answer, in order.
 */
async function findFirst<Part, Answer>(
  parts: AsyncIterable<Part>,
  look: (part: Part) => Promise<Answer | undefined>,
  onNone: (part: Part) => void,
): Promise<Answer | undefined> {
  const running: { part: Part; looking: Promise<Answer | undefined> }[] = [];
  const takeNext = async (): Promise<Answer | undefined> => {
    const next = running.shift();
    if (next === undefined) return undefined;
    const answer = await next.looking;
    if (answer === undefined) onNone(next.part);
    return answer;
  };
  try {
    for await (const part of parts) {
      const looking = look(part);
      // Its failure is told when its turn comes, or not at all when an earlier part differs.
      looking.catch(() => {});
      running.push({ part, looking });
      const answer = running.length < partsInFlight ? undefined : await takeNext();
      if (answer !== undefined) return answer;
    }
    while (running.length > 0) {
      const answer = await takeNext();
      if (answer !== undefined) return answer;
    }
    return undefined;
  } finally {
    await Promise.allSettled(running.map(({ looking }) => looking));
  }
}

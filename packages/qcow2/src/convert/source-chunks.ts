import type { RandomAccess } from "@box/io";
import { numberOfBytes, readToEnd, throwIfAborted, toSourceError } from "../bytes/source-reader.ts";
import { Qcow2Error } from "../errors.ts";
import { Qcow2Image } from "../image.ts";
import { requireSource } from "../require-arguments.ts";

/** A part of a disk that may hold something else than zeros. */
export interface SourceChunk {
  /** First byte of the disk. */
  readonly start: number;
  /** Its bytes, valid until its handler is done. */
  readonly bytes: Uint8Array;
}

/** How a disk is read. */
export interface ReadChunksOptions {
  /** Chunks start at multiples of this. */
  readonly alignBytes: number;
  /** Aborts between chunks. */
  readonly signal?: AbortSignal | undefined;
  /** Told how far the disk is done. */
  readonly onProgress?: ((doneBytes: number) => void) | undefined;
}

const chunkBytes = 2 ** 21;
const chunksInFlight = 4;

/**
 * Reads a disk from start to end, several chunks at a time, and hands them over in order. Parts that are known to be
 * zeros are left out.
 *
 * @param handle - Takes a chunk. Only what it does before its first `await` is in order with other chunks.
 */
export async function readChunks(
  source: RandomAccess,
  sizeBytes: number,
  options: ReadChunksOptions,
  handle: (chunk: SourceChunk) => Promise<void>,
): Promise<void> {
  const free = Array.from({ length: chunksInFlight }, () => new Uint8Array(chunkBytes));
  const running = new Set<Promise<void>>();
  let furthest = 0;
  let failure: { error: unknown } | undefined;
  let previous: Promise<unknown> = Promise.resolve();
  try {
    for await (const { start, length } of dataParts(source, sizeBytes, options.alignBytes)) {
      while (free.length === 0) await Promise.race(running);
      if (failure) break;
      throwIfAborted(options.signal);
      const buffer = free.pop() ?? new Uint8Array(chunkBytes);
      const before = previous;
      const reading = readPart(source, start, buffer.subarray(0, length));
      const handled = inOrder(before, reading, (bytes) => ({ done: handle({ start, bytes }) }));
      previous = handled;
      const task = handled
        .then(({ done }) => done)
        .then(() => {
          // Chunks may be done in another order.
          furthest = Math.max(furthest, start + length);
          options.onProgress?.(furthest);
        })
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => {
          running.delete(task);
          free.push(buffer);
        });
      running.add(task);
    }
  } finally {
    await Promise.all(running);
  }
  if (failure) throw failure.error;
}

/** Waits for a read and for the chunk before; when one of them failed nothing is handled. */
async function inOrder<Result>(
  before: Promise<unknown>,
  reading: Promise<Uint8Array>,
  handle: (bytes: Uint8Array) => Result,
): Promise<Result> {
  const [bytes] = await Promise.all([reading, before]);
  return handle(bytes);
}

/** The size of a disk. */
export async function sizeOf(source: RandomAccess): Promise<number> {
  requireSource(source);
  try {
    return numberOfBytes(await source.size());
  } catch (cause) {
    throw cause instanceof Qcow2Error ? cause : toSourceError(cause, "read the size of the source");
  }
}

/** Fills `into` with bytes that are all inside a disk, in several reads from a source that gives less than it is asked for. */
export async function readPart(
  source: RandomAccess,
  start: number,
  into: Uint8Array,
): Promise<Uint8Array> {
  let found: Uint8Array;
  try {
    found = await readToEnd(source, start, into.byteLength, into);
  } catch (cause) {
    throw cause instanceof Qcow2Error ? cause : toSourceError(cause, "read the source", start);
  }
  if (found.byteLength < into.byteLength) throw shortRead(start, found.byteLength, into.byteLength);
  return found;
}

function shortRead(offset: number, done: number, wanted: number): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_SHORT_READ",
    message: `the source returned ${done} of ${wanted} bytes at byte ${offset}, although they are inside the disk`,
    offset,
    structure: "file",
  });
}

/** The parts of a disk that may hold data, in order: aligned, joined, and not longer than a chunk. */
async function* dataParts(
  source: RandomAccess,
  sizeBytes: number,
  alignBytes: number,
): AsyncGenerator<{ start: number; length: number }> {
  const step = Math.max(alignBytes, chunkBytes - (chunkBytes % alignBytes));
  let from = 0;
  let to = 0;
  for await (const extent of dataExtents(source, sizeBytes)) {
    const start = extent.start - (extent.start % alignBytes);
    const end = extent.start + extent.length;
    if (start > to) {
      if (to > from) yield { start: from, length: to - from };
      from = start;
    }
    to = Math.max(to, Math.min(sizeBytes, Math.ceil(end / alignBytes) * alignBytes));
    for (; to - from >= step; from += step) yield { start: from, length: step };
  }
  if (to > from) yield { start: from, length: to - from };
}

async function* dataExtents(
  source: RandomAccess,
  sizeBytes: number,
): AsyncGenerator<{ start: number; length: number }> {
  if (!(source instanceof Qcow2Image)) {
    yield { start: 0, length: sizeBytes };
    return;
  }
  for await (const { start, length, kind } of source.extents()) {
    if (kind === "data" || kind === "compressed") yield { start, length };
  }
}

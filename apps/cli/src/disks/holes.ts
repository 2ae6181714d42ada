import { stat } from "node:fs/promises";
import type { RandomAccess } from "@box/io";
import type { ByteRange } from "./seek-data.ts";

/** A part of a file that holds data, or that reads as zeros without any. */
export interface FilePart {
  /** First byte. */
  readonly start: number;
  /** First byte behind it. */
  readonly end: number;
  /** Whether the file system has nothing there. */
  readonly isHole: boolean;
}

/** What file systems give space in. */
const blockBytes = 4096;
const chunkBytes = 2 ** 20;

/** Bytes that a file takes on its file system. */
export async function allocatedBytesOf(path: string): Promise<number> {
  return (await stat(path)).blocks * 512;
}

/** The file whose holes are looked for. */
export interface SparseFile {
  /** The file. */
  readonly source: RandomAccess;
  /** What it takes on its file system. */
  readonly allocatedBytes: number;
  /** The parts that hold data, in order, where the file system says so. */
  readonly data: readonly ByteRange[] | undefined;
  /** Stops between reads. */
  readonly signal: AbortSignal;
  /** Told where it reads, when it has to. */
  readonly onProgress?: (offset: number) => void;
}

/**
 * The data and the holes of a part of a file. Where the file system does not tell, blocks of zeros count as holes, unless
 * the file takes all of its size.
 */
export async function findHoles(file: SparseFile, start: number, end: number): Promise<FilePart[]> {
  const sizeBytes = await file.source.size();
  const stop = Math.max(start, Math.min(end, sizeBytes));
  const parts: FilePart[] = [];
  if (file.data !== undefined) addKnown(parts, file.data, start, stop);
  else if (file.allocatedBytes >= sizeBytes) addPart(parts, { start, end: stop, isHole: false });
  else await readParts(file, start, stop, parts);
  addPart(parts, { start: stop, end, isHole: true });
  return parts;
}

function addKnown(parts: FilePart[], data: readonly ByteRange[], start: number, end: number): void {
  let at = start;
  for (let index = firstEndingBehind(data, start); index < data.length && at < end; index++) {
    const [from, to] = data[index] as ByteRange;
    if (from >= end) break;
    addPart(parts, { start: at, end: Math.max(at, from), isHole: true });
    at = Math.min(end, to);
    addPart(parts, { start: Math.max(start, from), end: at, isHole: false });
  }
  addPart(parts, { start: at, end, isHole: true });
}

/** Ranges are in order, so that the first one that matters is found by halving. */
function firstEndingBehind(data: readonly ByteRange[], offset: number): number {
  let low = 0;
  let high = data.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((data[middle]?.[1] ?? 0) > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}

async function readParts(
  { source, signal, onProgress }: SparseFile,
  start: number,
  end: number,
  parts: FilePart[],
): Promise<void> {
  const buffer = Buffer.alloc(chunkBytes);
  for (let from = start; from < end; ) {
    signal.throwIfAborted();
    const to = Math.min(end, from - (from % chunkBytes) + chunkBytes);
    const bytes = await source.read(from, to - from, buffer);
    for (const part of partsOf(buffer.subarray(0, bytes.byteLength), from, to))
      addPart(parts, part);
    from = to;
    onProgress?.(from);
  }
}

const zeros: Uint8Array = new Uint8Array(chunkBytes);

function* partsOf(bytes: Buffer, from: number, to: number): Generator<FilePart> {
  if (bytes.equals(zeros.subarray(0, bytes.byteLength))) {
    yield { start: from, end: to, isHole: true };
    return;
  }
  for (let start = from; start < to; ) {
    const end = Math.min(to, start - (start % blockBytes) + blockBytes);
    const block = bytes.subarray(start - from, end - from);
    yield { start, end, isHole: block.equals(zeros.subarray(0, block.byteLength)) };
    start = end;
  }
}

function addPart(parts: FilePart[], part: FilePart): void {
  if (part.start >= part.end) return;
  const last = parts.at(-1);
  if (last?.isHole === part.isHole) parts[parts.length - 1] = { ...last, end: part.end };
  else parts.push(part);
}

import { throwIfAborted } from "../bytes/source-reader.ts";
import { firstDifference } from "../compare/compare-bytes.ts";
import { layerExtents, type PairedPart, pairedParts } from "../compare/paired-parts.ts";
import { isAllZeros } from "../convert/zero-blocks.ts";
import type { DiskLayer } from "../read/disk-layer.ts";
import type { Qcow2Layer } from "../read/qcow2-layer.ts";
import type { ImageWriter } from "../write/image-writer.ts";

/** An image and the disk that is to be below it. */
export interface CopyRequest {
  /** The image's disk over its present backing file. */
  readonly layer: Qcow2Layer;
  /** Changes the image. */
  readonly writer: ImageWriter;
  /** The disk that will be below; `undefined` for none. */
  readonly below: DiskLayer | undefined;
  /** Aborts between steps. */
  readonly signal?: AbortSignal | undefined;
  /** Told how far it is. */
  readonly onProgress?:
    | ((progress: { readonly doneBytes: number; readonly totalBytes: number }) => void)
    | undefined;
}

const windowBytes = 2 ** 20;

/**
 * Goes through what an image does not store itself, and stores it where the disk that will be below has something else.
 *
 * @returns Bytes that were stored.
 */
export async function copyDifferences(request: CopyRequest): Promise<number> {
  const { layer, signal, onProgress } = request;
  const totalBytes = layer.sizeBytes;
  let copied = 0;
  for (let at = 0; at < totalBytes; ) {
    throwIfAborted(signal);
    const run = await layer.map.next(at, totalBytes - at);
    if (run.kind === "unallocated") copied += await copyRange(request, at, at + run.length);
    at += run.length;
    onProgress?.({ doneBytes: at, totalBytes });
  }
  return copied;
}

/** Copies in a range that the image stores nothing of. It begins and ends with a unit, or with the disk. */
async function copyRange(request: CopyRequest, start: number, end: number): Promise<number> {
  const { layer, below, signal } = request;
  const unit = unitBytes(layer);
  const window = Math.max(unit, windowBytes);
  const parts = pairedParts({
    a: layerExtents(layer.parts.backing, start, end),
    b: layerExtents(below, start, end),
    start,
    end,
    maxBytes: window,
  });
  let copied = 0;
  let lookedTo = start;
  for await (const part of parts) {
    throwIfAborted(signal);
    const partEnd = part.start + part.length;
    if (isZeroInBoth(part) || partEnd <= lookedTo) continue;
    let from = Math.max(lookedTo, part.start - (part.start % unit));
    const to = Math.min(end, Math.ceil(partEnd / unit) * unit);
    for (; from < to; from += window) {
      copied += await copyWindow(request, from, Math.min(to, from + window));
    }
    lookedTo = to;
  }
  return copied;
}

function isZeroInBoth({ readsA, readsB }: PairedPart): boolean {
  return !readsA && !readsB;
}

/** Compares whole units and stores those that differ: as zeros where they are. */
async function copyWindow(
  { layer, writer, below }: CopyRequest,
  start: number,
  end: number,
): Promise<number> {
  const unit = unitBytes(layer);
  const before = new Uint8Array(end - start);
  const after = new Uint8Array(end - start);
  await Promise.all([layer.parts.backing?.readInto(start, before), below?.readInto(start, after)]);
  let copied = 0;
  for (let from = 0; from < before.byteLength; ) {
    const kind = kindOfUnit(before, after, from, unit);
    let to = from + unit;
    while (to < before.byteLength && kindOfUnit(before, after, to, unit) === kind) to += unit;
    const bytes = before.subarray(from, to);
    if (kind === "zero") await writer.zero(start + from, bytes.byteLength, "hide");
    if (kind === "data") await writer.write(start + from, bytes);
    if (kind !== "same") copied += bytes.byteLength;
    from = to;
  }
  return copied;
}

function kindOfUnit(
  before: Uint8Array,
  after: Uint8Array,
  from: number,
  unit: number,
): "same" | "zero" | "data" {
  const old = before.subarray(from, from + unit);
  if (firstDifference(old, after.subarray(from, from + unit)) < 0) return "same";
  return isAllZeros(old) ? "zero" : "data";
}

/** The smallest part of the disk that is stored by itself. */
function unitBytes({ parts: { format } }: Qcow2Layer): number {
  return 2 ** format.clusterBits / (format.hasExtendedL2 ? 32 : 1);
}

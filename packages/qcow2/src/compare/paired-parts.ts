import type { RandomAccess } from "@box/io";
import { Qcow2Image } from "../image.ts";
import type { DiskLayer, Extent } from "../read/disk-layer.ts";

/** A range that is of one kind in each of two disks. */
export interface PairedPart {
  /** First byte. */
  readonly start: number;
  /** Length in bytes. */
  readonly length: number;
  /** Whether the first disk may hold something else than zeros there. */
  readonly readsA: boolean;
  /** Whether the second disk may. */
  readonly readsB: boolean;
  /** Whether they store the range in different ways. Only looked at when it is asked for. */
  readonly differsInAllocation: boolean;
}

/** Two disks that are gone through together. */
export interface PairRequest {
  /** Where the first disk has its bytes, from `start` on. */
  readonly a: AsyncGenerator<Extent>;
  /** Where the second disk has its. */
  readonly b: AsyncGenerator<Extent>;
  /** First byte. */
  readonly start: number;
  /** End; the extents reach it. */
  readonly end: number;
  /** Longest part that has to be read. */
  readonly maxBytes: number;
  /** Whether it matters how ranges are stored. */
  readonly isStrict?: boolean | undefined;
}

/** Goes through a range of two disks at once, in order. */
export async function* pairedParts(request: PairRequest): AsyncGenerator<PairedPart> {
  const { a, b, maxBytes, isStrict = false } = request;
  let inA = await nextOf(a);
  let inB = await nextOf(b);
  for (let at = request.start; at < request.end && inA && inB; ) {
    const end = Math.min(inA.start + inA.length, inB.start + inB.length);
    const readsA = hasData(inA);
    const readsB = hasData(inB);
    const step = readsA || readsB ? Math.min(end, at + maxBytes) : end;
    const differsInAllocation = isStrict && allocationOf(inA) !== allocationOf(inB);
    yield { start: at, length: step - at, readsA, readsB, differsInAllocation };
    at = step;
    if (inA.start + inA.length === at) inA = await nextOf(a);
    if (inB.start + inB.length === at) inB = await nextOf(b);
  }
}

/** Where a disk has its bytes: all of a raw one, and nothing behind the end of a shorter one. */
export async function* diskExtents(
  source: RandomAccess,
  sizeBytes: number,
  totalBytes: number = sizeBytes,
): AsyncGenerator<Extent> {
  if (source instanceof Qcow2Image) yield* source.extents();
  else if (sizeBytes > 0) {
    yield { start: 0, length: sizeBytes, depth: 0, kind: "data", hostOffset: 0 };
  }
  const rest = totalBytes - sizeBytes;
  if (rest > 0) yield { start: sizeBytes, length: rest, depth: 0, kind: "unallocated" };
}

/** Where a layer has the bytes of a range; nothing where there is no layer or it has ended. */
export async function* layerExtents(
  layer: DiskLayer | undefined,
  start: number,
  end: number,
): AsyncGenerator<Extent> {
  const inside = Math.max(0, Math.min(end, layer?.sizeBytes ?? 0) - start);
  if (layer && inside > 0) yield* layer.extents(start, inside, 0);
  const rest = end - start - inside;
  if (rest > 0) yield { start: start + inside, length: rest, depth: 0, kind: "unallocated" };
}

function hasData({ kind }: Extent): boolean {
  return kind === "data" || kind === "compressed";
}

/** What QEMU's strict comparison tells apart: the kind, and whether the range has a place of its own. */
function allocationOf({ kind, hostOffset }: Extent): string {
  return hostOffset === undefined ? kind : `${kind} with a place`;
}

async function nextOf(extents: AsyncGenerator<Extent>): Promise<Extent | undefined> {
  const next = await extents.next();
  return next.done ? undefined : next.value;
}

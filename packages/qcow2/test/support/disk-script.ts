import { type MemoryFile, observeFile, type RandomAccess } from "@box/io";
import type { CreateImageOptions, Qcow2Image } from "@box/qcow2";
import fc from "fast-check";

/** One change of a disk. */
export interface DiskStep {
  readonly kind: "write" | "writeZeroes" | "discard" | "flush";
  readonly offset: number;
  readonly length: number;
  readonly value: number;
}

/** Changes of a disk of `size` bytes, many of them near cluster borders. */
export function diskSteps(
  size: number,
  clusterSize: number,
  maxLength = 14,
): fc.Arbitrary<DiskStep[]> {
  const near = fc
    .tuple(fc.nat(Math.ceil(size / clusterSize)), fc.integer({ min: -700, max: 700 }), fc.boolean())
    .map(([cluster, shift, isExact]) => cluster * clusterSize + (isExact ? 0 : shift));
  const step = fc
    .record({
      kind: fc.constantFrom("write", "write", "write", "writeZeroes", "discard", "flush"),
      from: near,
      to: near,
      value: fc.integer({ min: 1, max: 255 }),
    })
    .map(({ kind, from, to, value }): DiskStep => {
      const [low, high] = [from, to]
        .map((at) => Math.max(0, Math.min(size, at)))
        .sort((a, b) => a - b);
      return {
        kind: kind as DiskStep["kind"],
        offset: low ?? 0,
        length: (high ?? 0) - (low ?? 0),
        value,
      };
    });
  return fc.array(step, { minLength: 1, maxLength });
}

/** Carries out one change. */
export async function runStep(image: Qcow2Image, step: DiskStep): Promise<void> {
  if (step.kind === "flush") return image.flush();
  if (step.kind === "write") return image.write(step.offset, pattern(step));
  if (step.kind === "writeZeroes") return image.writeZeroes(step.offset, step.length);
  return image.discard(step.offset, step.length);
}

/** What a disk holds after a change. A discard may leave bytes or zero them, so what the image now has is taken over. */
export async function applyToModel(
  model: Uint8Array,
  step: DiskStep,
  image: Qcow2Image,
): Promise<void> {
  const { offset, length } = step;
  if (step.kind === "write") model.set(pattern(step), offset);
  if (step.kind === "writeZeroes") model.fill(0, offset, offset + length);
  if (step.kind !== "discard") return;
  const found = await image.read(offset, length);
  for (const [index, byte] of found.entries()) {
    if (byte !== 0 && byte !== model[offset + index]) throw new Error("a discard invented bytes");
  }
  model.set(found, offset);
}

function pattern({ length, value }: DiskStep): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) bytes[index] = 1 + ((value + (index >> 6)) % 255);
  return bytes;
}

/** A change of a file, as it was recorded. */
export type LogEntry =
  | { readonly kind: "write"; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: "flush" };

/**
 * A file whose writes and flushes are recorded.
 *
 * @param told - Told of each of them, too.
 */
export function recorded(
  file: MemoryFile,
  told: (entry: LogEntry) => void = () => {},
): { file: RandomAccess; log: LogEntry[] } {
  const log: LogEntry[] = [];
  const add = (entry: LogEntry): void => {
    log.push(entry);
    told(entry);
  };
  const observed = observeFile(file, ({ kind, offset, bytes }) => {
    if (kind === "write") add({ kind, offset, bytes: bytes ?? new Uint8Array(0) });
    if (kind === "flush") add({ kind });
  });
  // Holes are punched without a word: what a crash leaves of them is no concern of a check.
  const { punchHole: _, ...file2 } = observed;
  return { file: file2, log };
}

/** Options that cover the layouts which writing treats differently. */
export const layouts: Readonly<Record<string, Partial<CreateImageOptions>>> = {
  "clusters of 512 and refcounts of 64 bits": { clusterSizeBytes: 512, refcountBits: 64 },
  "clusters of 512 and refcounts of 1 bit": { clusterSizeBytes: 512, refcountBits: 1 },
  "clusters of 1 KiB and refcounts of 2 bits": { clusterSizeBytes: 1024, refcountBits: 2 },
  "clusters of 4 KiB and refcounts of 4 bits": { clusterSizeBytes: 4096, refcountBits: 4 },
  "clusters of 4 KiB and refcounts of 8 bits": { clusterSizeBytes: 4096, refcountBits: 8 },
  "clusters of 64 KiB": {},
  "clusters of 64 KiB and refcounts of 32 bits": { refcountBits: 32 },
  "version 2": { version: 2, clusterSizeBytes: 4096 },
  "extended L2 entries": { hasExtendedL2: true, clusterSizeBytes: 16384 },
  "extended L2 entries, preallocated": {
    hasExtendedL2: true,
    clusterSizeBytes: 16384,
    preallocation: "metadata",
  },
  "clusters of 2 MiB": { clusterSizeBytes: 2 ** 21 },
};

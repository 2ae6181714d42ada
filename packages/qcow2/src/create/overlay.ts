import type { RandomAccess } from "@box/io";
import { Qcow2Error } from "../errors.ts";
import { bitsOf } from "../header/features.ts";
import { writtenHeaderLength } from "../header/layout.ts";
import { buildHeaderCluster } from "./header-cluster.ts";
import { type ImageLayout, planLayout } from "./plan-layout.ts";
import { prepareTarget, writePieces } from "./target.ts";
import { type ImagePiece, refcountPieces } from "./write-metadata.ts";

/** What {@link createOverlay} makes. */
export interface CreateOverlayOptions {
  /** Size of the virtual disk in bytes; it need not be the backing file's. */
  readonly virtualSizeBytes: number;
  /** Name of the backing file as it is stored: 1 to 1023 bytes without NUL, relative or absolute, never looked up. */
  readonly backingName: Uint8Array | string;
  /** Format of the backing file. */
  readonly backingFormat: "raw" | "qcow2";
}

const clusterBits = 16;
const refcountOrder = 4;

/**
 * Makes an empty overlay: a version 3 image with 64 KiB clusters whose content is all in its backing file.
 *
 * A few small writes; where the target can be truncated the rest stays sparse. Opens no other file and does not flush.
 *
 * @param target - An empty file. It is left unfinished when a write fails.
 * @throws {@link Qcow2Error} `QCOW2_TARGET_NOT_EMPTY`, `QCOW2_INVALID_ARGUMENT`, `QCOW2_IMAGE_TOO_LARGE`,
 * `QCOW2_READ_ONLY`, or what the target failed with.
 */
export async function createOverlay(
  target: RandomAccess,
  options: CreateOverlayOptions,
): Promise<void> {
  const { layout, pieces } = planOverlay(options);
  await prepareTarget(target, overlayLength(layout));
  await writePieces(target, pieces);
}

/** The bytes of the overlay that {@link createOverlay} makes: 256 KiB for a disk of up to 4 TiB. */
export function overlayBytes(options: CreateOverlayOptions): Uint8Array {
  const { layout, pieces } = planOverlay(options);
  const bytes = new Uint8Array(overlayLength(layout));
  for (const piece of pieces) bytes.set(piece.bytes, piece.offset);
  return bytes;
}

function overlayLength(layout: ImageLayout): number {
  return layout.usedClusters * layout.clusterSizeBytes;
}

function planOverlay(options: CreateOverlayOptions): {
  layout: ImageLayout;
  pieces: ImagePiece[];
} {
  const { virtualSizeBytes } = options;
  if (!Number.isSafeInteger(virtualSizeBytes) || virtualSizeBytes < 0) {
    throw new Qcow2Error({
      code: "QCOW2_INVALID_ARGUMENT",
      message: `the virtual size must be a whole number of bytes below 2^53, not ${virtualSizeBytes}`,
    });
  }
  const layout = planLayout({
    virtualSizeBytes,
    clusterBits,
    refcountOrder,
    hasExtendedL2: false,
    preallocatesL2: false,
    preallocatesData: false,
  });
  const header = buildHeaderCluster({
    header: {
      version: 3,
      backingFileOffset: 0,
      backingFileSize: 0,
      clusterBits,
      size: BigInt(virtualSizeBytes),
      cryptMethod: 0,
      l1Size: layout.l1Entries,
      l1TableOffset: layout.l1Offset,
      refcountTableOffset: layout.refcountTableOffset,
      refcountTableClusters: layout.refcountTableClusters,
      snapshotCount: 0,
      snapshotsOffset: 0,
      incompatibleFeatures: bitsOf(),
      compatibleFeatures: bitsOf(),
      autoclearFeatures: bitsOf(),
      refcountOrder,
      headerLength: writtenHeaderLength,
      compressionType: 0,
      unknownFields: new Uint8Array(writtenHeaderLength - 105),
    },
    backing: { name: options.backingName, format: options.backingFormat },
  });
  // The header goes last: a file that was cut while being made has no magic and is known to be unfinished.
  const pieces = [
    ...refcountPieces(layout, clusterBits, refcountOrder),
    { offset: 0, bytes: header },
  ];
  return { layout, pieces };
}

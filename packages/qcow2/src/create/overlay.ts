import type { RandomAccess } from "@box/io";
import { requireOneOf } from "../require-arguments.ts";
import { createImage } from "./create-image.ts";
import { type CreateImageOptions, toCreateRequest } from "./create-options.ts";
import { planImage } from "./plan-image.ts";

/** What {@link createOverlay} makes. */
export interface CreateOverlayOptions {
  /** Size of the virtual disk in bytes; it need not be the backing file's. */
  readonly virtualSizeBytes: number;
  /** Name of the backing file as it is stored: 1 to 1023 bytes without NUL, relative or absolute, never looked up. */
  readonly backingName: Uint8Array | string;
  /** Format of the backing file. */
  readonly backingFormat: "raw" | "qcow2";
}

/**
 * Makes an empty overlay: a version 3 image with 64 KiB clusters whose content is all in its backing file.
 *
 * A few small writes; where the target can be truncated the rest stays sparse. Opens no other file and does not flush.
 *
 * @param target - An empty file. It is left unfinished, and without the magic, when a write fails.
 * @throws {@link Qcow2Error} `QCOW2_TARGET_NOT_EMPTY`, `QCOW2_INVALID_ARGUMENT`, `QCOW2_IMAGE_TOO_LARGE`,
 * `QCOW2_READ_ONLY`, or what the target failed with.
 */
export async function createOverlay(
  target: RandomAccess,
  options: CreateOverlayOptions,
): Promise<void> {
  await createImage(target, toImageOptions(options));
}

/** The bytes of the overlay that {@link createOverlay} makes: 256 KiB for a disk of up to 4 TiB. */
export function overlayBytes(options: CreateOverlayOptions): Uint8Array {
  const plan = planImage(toCreateRequest(toImageOptions(options)));
  const bytes = new Uint8Array(plan.lengthBytes);
  for (const piece of plan.pieces()) bytes.set(piece.bytes, piece.offset);
  return bytes;
}

function toImageOptions(options: CreateOverlayOptions): CreateImageOptions {
  const { virtualSizeBytes, backingName, backingFormat } = options;
  requireOneOf("backing format", backingFormat, ["raw", "qcow2"]);
  return { virtualSizeBytes, backing: { name: backingName, format: backingFormat } };
}

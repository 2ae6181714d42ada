import type { RandomAccess } from "@box/io";
import { throwIfAborted } from "../bytes/source-reader.ts";
import { type CreateImageOptions, toCreateRequest } from "./create-options.ts";
import { planImage } from "./plan-image.ts";
import { prepareTarget, writePieces } from "./target.ts";
import type { ImagePiece } from "./write-metadata.ts";

const zeroChunkBytes = 2 ** 20;

/**
 * Makes a fresh image. Opens no other file and does not flush; where the target can be truncated what is zero stays
 * sparse.
 *
 * @param target - An empty file. It is left unfinished, and without the magic, when a write fails.
 * @throws {@link Qcow2Error} `QCOW2_TARGET_NOT_EMPTY`, `QCOW2_INVALID_ARGUMENT`, `QCOW2_IMAGE_TOO_LARGE`,
 * `QCOW2_READ_ONLY`, `QCOW2_ABORTED`, or what the target failed with.
 */
export async function createImage(
  target: RandomAccess,
  options: CreateImageOptions,
): Promise<void> {
  const request = toCreateRequest(options);
  const plan = planImage(request);
  throwIfAborted(options.signal);
  await prepareTarget(target, plan.lengthBytes);
  const data = request.dataFile?.target;
  if (data) await prepareTarget(data, request.virtualSizeBytes);
  if (request.preallocation === "full") {
    const place = request.dataFile ? 0 : plan.layout.dataOffset;
    const end = request.dataFile ? request.virtualSizeBytes : plan.lengthBytes;
    const file = request.dataFile ? data : target;
    if (file) await writePieces(file, zeroPieces(place, end), options.signal);
  }
  await writePieces(target, plan.pieces(), options.signal);
}

function* zeroPieces(start: number, end: number): Generator<ImagePiece> {
  const zeros = new Uint8Array(zeroChunkBytes);
  for (let offset = start; offset < end; offset += zeroChunkBytes) {
    yield { offset, bytes: zeros.subarray(0, Math.min(zeroChunkBytes, end - offset)) };
  }
}

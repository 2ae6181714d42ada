import type { RandomAccess } from "@box/io";
import { throwIfAborted } from "../bytes/source-reader.ts";
import type { Codec, CompressionType } from "../codec/codec.ts";
import { type CreateImageOptions, toCreateRequest } from "../create/create-options.ts";
import { Qcow2Error } from "../errors.ts";
import { Qcow2Target } from "./qcow2-target.ts";
import { RawTarget } from "./raw-target.ts";
import { readChunks, sizeOf } from "./source-chunks.ts";

/** How {@link convertImage} writes. The options for a fresh image count for the format qcow2 only. */
export interface ConvertImageOptions
  extends Pick<
    CreateImageOptions,
    | "version"
    | "clusterSizeBytes"
    | "refcountBits"
    | "hasExtendedL2"
    | "hasLazyRefcounts"
    | "signal"
  > {
  /** Format of the target. */
  readonly format: "raw" | "qcow2";
  /** Compresses every cluster that becomes smaller by it; needs a codec that compresses. */
  readonly compressed?: CompressionType;
  /** Compresses. */
  readonly codec?: Codec;
  /** Told how far it is, in bytes of the disk; the last call is with all of it. */
  readonly onProgress?: (progress: {
    readonly doneBytes: number;
    readonly totalBytes: number;
  }) => void;
}

/**
 * Copies a disk, read over its whole chain, to a fresh file in another or the same format. The result stands alone: it
 * has no backing file, snapshots or bitmaps. Zeros are found in blocks of 4 KiB (clusters for qcow2) and not stored.
 * A qcow2 image gets whole sectors of 512 bytes, which is all that QEMU reads; the last one is filled with zeros.
 *
 * @param source - An open image, or any other file for a raw disk.
 * @param target - An empty file. It is left unfinished when this fails; a qcow2 image then has no magic. Not flushed.
 * @throws {@link Qcow2Error} what reading and writing throw, `QCOW2_TARGET_NOT_EMPTY`, `QCOW2_INVALID_ARGUMENT`,
 * `QCOW2_UNSUPPORTED_COMPRESSION` when the codec cannot compress, `QCOW2_ABORTED`.
 */
export async function convertImage(
  source: RandomAccess,
  target: RandomAccess,
  options: ConvertImageOptions,
): Promise<void> {
  const { format, signal, onProgress } = options;
  throwIfAborted(signal);
  const totalBytes = await sizeOf(source);
  const writer =
    format === "raw"
      ? await RawTarget.create(target, totalBytes)
      : await createQcow2(target, wholeSectors(totalBytes), options);
  const tell = onProgress && ((doneBytes: number) => onProgress({ doneBytes, totalBytes }));
  await readChunks(
    source,
    totalBytes,
    { alignBytes: writer.alignBytes, signal, onProgress: tell },
    (chunk) => writer.write(chunk),
  );
  throwIfAborted(signal);
  await writer.finish();
  tell?.(totalBytes);
}

/** QEMU cuts a disk to whole sectors: the last bytes of a raw file that ends inside one would be lost. */
function wholeSectors(sizeBytes: number): number {
  return Math.ceil(sizeBytes / 512) * 512;
}

async function createQcow2(
  target: RandomAccess,
  virtualSizeBytes: number,
  {
    compressed,
    codec,
    version,
    clusterSizeBytes,
    refcountBits,
    hasExtendedL2,
    hasLazyRefcounts,
  }: ConvertImageOptions,
): Promise<Qcow2Target> {
  const request = toCreateRequest({
    virtualSizeBytes,
    ...(version !== undefined && { version }),
    ...(clusterSizeBytes !== undefined && { clusterSizeBytes }),
    ...(refcountBits !== undefined && { refcountBits }),
    ...(hasExtendedL2 !== undefined && { hasExtendedL2 }),
    ...(hasLazyRefcounts !== undefined && { hasLazyRefcounts }),
    ...(compressed !== undefined && { compressionType: compressed }),
  });
  const compress = codec?.compress?.bind(codec);
  if (compressed !== undefined && compress === undefined) {
    throw new Qcow2Error({
      code: "QCOW2_UNSUPPORTED_COMPRESSION",
      message: `compressing with ${compressed} needs a codec that compresses`,
      hint: "pass one as the option codec",
    });
  }
  return Qcow2Target.create(target, request, compressed && compress);
}

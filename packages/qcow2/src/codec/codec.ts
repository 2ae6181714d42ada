import { Qcow2Error } from "../errors.ts";

/** How a compressed cluster is compressed. */
export type CompressionType = "zlib" | "zstd";

/** What a codec is told about one decompression. */
export interface DecompressOptions {
  /** Bytes that the output must have: one cluster. */
  readonly outputBytes: number;
  /** Whether output past that is cut off, as QEMU does, instead of refused. */
  readonly allowsLonger: boolean;
}

/**
 * Decompresses clusters, and compresses them where it can. Injected so that it may run in workers or a thread pool.
 *
 * `zlib` means raw deflate, as qcow2 stores it. The input may be longer than the stream: a cluster is stored in whole
 * sectors.
 */
export interface Codec {
  /**
   * Decompresses one cluster.
   *
   * @returns Exactly `outputBytes` bytes, which the caller owns.
   * @throws `Qcow2Error` `QCOW2_COMPRESSED_DATA_INVALID` when the input is not such a stream; anything else that
   * it throws is not taken for a fault of the image.
   */
  decompress(
    type: CompressionType,
    input: Uint8Array,
    options: DecompressOptions,
  ): Promise<Uint8Array>;
  /** Compresses one cluster; absent when the codec only reads. */
  compress?(type: CompressionType, input: Uint8Array): Promise<Uint8Array>;
}

/** The error of a stream that cannot be decompressed to one cluster. */
export function badStream(problem: string, cause?: unknown): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_COMPRESSED_DATA_INVALID",
    message: `a compressed cluster cannot be decompressed: ${problem}`,
    structure: "compressed cluster",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** A byte of a structure that may be cut: past its end it reads as 0, and whoever reads it checks where it ends. */
export function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0;
}

/** Requires that a whole cluster came out. */
export function requireWhole(output: Uint8Array, outputBytes: number): Uint8Array {
  if (output.byteLength === outputBytes) return output;
  throw badStream(`it holds ${output.byteLength} bytes instead of ${outputBytes}`);
}

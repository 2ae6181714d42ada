import { Qcow2Error } from "../errors.ts";

/** How a compressed cluster is compressed. */
export type CompressionType = "zlib" | "zstd";

/** What a codec is told about one decompression. */
export interface DecompressOptions {
  /** Bytes that the output must have: one cluster. */
  readonly outputBytes: number;
  /** Whether output past that is cut off, as QEMU does, instead of refused. */
  readonly allowsLonger: boolean;
  /** Room of `outputBytes` bytes that the output may be put into. A codec need not; when it fails, anything may be there. */
  readonly into?: Uint8Array;
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
   * @param input - Stays as it is until this is done.
   * @returns Exactly `outputBytes` bytes, which the caller owns: those of `into`, or others.
   * @throws `Qcow2Error` `QCOW2_COMPRESSED_DATA_INVALID` when the input is not such a stream; anything else that
   * it throws is not taken for a fault of the image.
   */
  decompress(
    type: CompressionType,
    input: Uint8Array,
    options: DecompressOptions,
  ): Promise<Uint8Array>;
  /**
   * Compresses one cluster; absent when the codec only reads.
   *
   * @param input - Stays as it is until this is done.
   * @param into - Room that the output may be put into when it fits. A codec need not.
   * @returns Bytes that the caller owns: the start of `into`, or others.
   */
  compress?(type: CompressionType, input: Uint8Array, into?: Uint8Array): Promise<Uint8Array>;
}

/** Puts an output into the room that the caller gave, where it is not there yet and fits. */
export function putInto(output: Uint8Array, into: Uint8Array | undefined): Uint8Array {
  if (into === undefined || output.byteLength > into.byteLength) return output;
  if (output.buffer === into.buffer && output.byteOffset === into.byteOffset) return output;
  into.set(output);
  return into.subarray(0, output.byteLength);
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

import { promisify } from "node:util";
import {
  constants,
  deflateRaw,
  deflateRawSync,
  inflateRaw,
  inflateRawSync,
  type ZlibOptions,
  type ZstdOptions,
  zstdCompress,
  zstdCompressSync,
  zstdDecompress,
  zstdDecompressSync,
} from "node:zlib";
import { badStream, type Codec, putInto } from "../codec/codec.ts";
import { portableCodec } from "../codec/portable-codec.ts";
import { zstdFrameEnd } from "../codec/zstd/frame.ts";

/** The calls of Node's zlib, in its thread pool or on the calling thread. */
export interface ZlibCalls {
  /** Raw deflate, decompressed. */
  readonly inflate: ZlibCall<ZlibOptions>;
  /** Raw deflate. */
  readonly deflate: ZlibCall<ZlibOptions>;
  /** A zstd frame, decompressed. */
  readonly zstdDecompress: ZlibCall<ZstdOptions>;
  /** One zstd frame. */
  readonly zstdCompress: ZlibCall<ZstdOptions>;
}

/** A call of `node:zlib`; one that can puts the output into `into` when it fits. */
export type ZlibCall<Options> = (
  input: Uint8Array,
  options: Options,
  into?: Uint8Array,
) => Promise<Buffer> | Buffer;

/** Largest window that is accepted, as a power of two: the 8 MiB that RFC 8878 recommends. */
const maxWindowLog = 23;

/** What a buffer has beyond a cluster: where output fills it to the end Node makes a second one. */
const spareOutputBytes = 1024;

/** Each call goes through Node's thread pool by itself. */
export const threadPoolCalls: ZlibCalls = {
  inflate: fewAtATime(promisify(inflateRaw)),
  deflate: fewAtATime(promisify(deflateRaw)),
  zstdDecompress: fewAtATime(promisify(zstdDecompress)),
  zstdCompress: fewAtATime(promisify(zstdCompress)),
};

/** Decompresses and compresses with Node's zlib in its thread pool. What Node refuses is tried once more in plain TypeScript. */
export const nodeCodec: Required<Codec> = codecOf(threadPoolCalls);

/**
 * As {@link nodeCodec}, but on the calling thread: half the work for decompressing, for programs in which nothing else
 * waits, such as a command line.
 */
export const blockingNodeCodec: Required<Codec> = codecOf({
  inflate: inflateRawSync,
  deflate: deflateRawSync,
  zstdDecompress: zstdDecompressSync,
  zstdCompress: zstdCompressSync,
});

/** As many as the pool has threads unless a program asks for more, and the next ones ready. */
const callsAtATime = 8;

/** A call holds its tables, up to a megabyte, from when it is asked for; those that wait for a thread need none. */
function fewAtATime<Options>(
  call: (input: Uint8Array, options: Options) => Promise<Buffer>,
): (input: Uint8Array, options: Options) => Promise<Buffer> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (input, options) => {
    if (running >= callsAtATime) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await call(input, options);
    } finally {
      // The place goes to the next one.
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}

/** A codec that does its work by the given calls. */
export function codecOf(calls: ZlibCalls): Required<Codec> {
  const inflateOptions = sameOptions(toInflateOptions);
  const zstdOptions = sameOptions(toZstdOptions);
  const deflateOptions = sameOptions(toDeflateOptions);
  const zstdCompressOptions = sameOptions(toZstdCompressOptions);
  return {
    async decompress(type, input, options) {
      const { outputBytes, into } = options;
      let output: Buffer | undefined;
      try {
        output = await (type === "zlib"
          ? calls.inflate(input, inflateOptions(outputBytes), into)
          : calls.zstdDecompress(wholeFrame(input), zstdOptions(outputBytes), into));
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
      if (output?.byteLength === outputBytes) return handOver(output, into);
      // Node is stricter or laxer than qcow2 about what is behind or missing from a stream, and a cluster may be made of
      // several zstd frames; the portable codec decides.
      return portableCodec.decompress(type, input, options);
    },
    async compress(type, input, into) {
      const { byteLength } = input;
      const output = await (type === "zlib"
        ? calls.deflate(input, deflateOptions(byteLength), into)
        : calls.zstdCompress(input, zstdCompressOptions(byteLength), into));
      return handOver(output, into);
    },
  };
}

/** Options for clusters of one size are one object, by which calls are known to belong together. */
function sameOptions<Options>(make: (bytes: number) => Options): (bytes: number) => Options {
  let last: { readonly bytes: number; readonly options: Options } | undefined;
  return (bytes) => {
    if (last?.bytes !== bytes) last = { bytes, options: make(bytes) };
    return last.options;
  };
}

function toInflateOptions(outputBytes: number): ZlibOptions {
  return {
    chunkSize: outputBytes + spareOutputBytes,
    maxOutputLength: outputBytes,
    finishFlush: constants.Z_SYNC_FLUSH,
  };
}

function toZstdOptions(outputBytes: number): ZstdOptions {
  return {
    chunkSize: outputBytes + spareOutputBytes,
    maxOutputLength: outputBytes,
    params: { [constants.ZSTD_d_windowLogMax]: maxWindowLog },
  };
}

/** QEMU decodes with a window of 4 KiB. */
function toDeflateOptions(inputBytes: number): ZlibOptions {
  return { windowBits: 12, memLevel: 9, chunkSize: compressedRoom(inputBytes) };
}

/** The known size keeps zstd from setting up tables for a window that is larger than a cluster. */
function toZstdCompressOptions(inputBytes: number): ZstdOptions {
  return { chunkSize: compressedRoom(inputBytes), pledgedSrcSize: inputBytes };
}

/** Data that does not compress grows: random bytes by an eight hundredth with a window of 4 KiB. */
function compressedRoom(inputBytes: number): number {
  return inputBytes + (inputBytes >> 8) + spareOutputBytes;
}

/** The first frame, without what is behind it, which Node does not take. */
function wholeFrame(input: Uint8Array): Uint8Array {
  const frame = input.subarray(0, zstdFrameEnd(input));
  if (frame.byteLength === 0) throw badStream("it is empty");
  return frame;
}

/** What zlib and zstd say of a stream, and what Node says of one that is too long; the same in Node.js 22 and 24. */
const refusals =
  /^(Z_(DATA|BUF)_ERROR|Z_NEED_DICT|ZSTD_error_(?!memory_)\w+|ERR_BUFFER_TOO_LARGE)$/;

/** Whether Node refuses the stream. Every other failure is no fault of the stream, and stays one. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && "code" in error && refusals.test(String(error.code));
}

/** The output in the room of the caller. What it was in is given back at once: the collector lets tens of megabytes gather. */
function handOver(output: Buffer, into: Uint8Array | undefined): Uint8Array {
  const placed = putInto(output, into);
  if (placed !== output) freeOutput(output);
  return new Uint8Array(placed.buffer, placed.byteOffset, placed.byteLength);
}

/** Frees the memory of an output that nobody uses any more. One that shares its memory with other buffers stays. */
function freeOutput({ buffer, byteOffset, byteLength }: Buffer): void {
  const isAlone = byteOffset === 0 && buffer.byteLength > Buffer.poolSize;
  if (isAlone && byteLength > 0 && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

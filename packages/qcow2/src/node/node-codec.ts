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
import { badStream, type Codec, type DecompressOptions, requireWhole } from "../codec/codec.ts";
import { portableCodec } from "../codec/portable-codec.ts";
import { zstdFrameEnd } from "../codec/zstd/frame.ts";

/** The calls of Node's zlib, in its thread pool or on the calling thread. */
export interface ZlibCalls {
  /** Raw deflate, decompressed. */
  readonly inflate: (input: Uint8Array, options: ZlibOptions) => Promise<Buffer> | Buffer;
  /** Raw deflate. */
  readonly deflate: (input: Uint8Array, options: ZlibOptions) => Promise<Buffer> | Buffer;
  /** A zstd frame, decompressed. */
  readonly zstdDecompress: (input: Uint8Array, options: ZstdOptions) => Promise<Buffer> | Buffer;
  /** One zstd frame. */
  readonly zstdCompress: (input: Uint8Array, options: ZstdOptions) => Promise<Buffer> | Buffer;
}

/** Largest window that is accepted, as a power of two: the 8 MiB that RFC 8878 recommends. */
const maxWindowLog = 23;

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
  return {
    async decompress(type, input, options) {
      const native =
        type === "zlib"
          ? await inflateNative(calls, input, options)
          : await zstdNative(calls, input, options);
      // Node is stricter or laxer than qcow2 about what is behind or missing from a stream; the portable codec decides.
      return native ?? portableCodec.decompress(type, input, options);
    },
    async compress(type, input) {
      // Room for what does not become smaller, so that no second buffer is made.
      const chunkSize = input.byteLength + 1024;
      if (type === "zstd") {
        // The known size keeps zstd from setting up tables for a window that is larger than a cluster.
        const pledgedSrcSize = input.byteLength;
        return plain(await calls.zstdCompress(input, { chunkSize, pledgedSrcSize }));
      }
      // QEMU decodes with a window of 4 KiB.
      return plain(await calls.deflate(input, { windowBits: 12, memLevel: 9, chunkSize }));
    },
  };
}

async function inflateNative(
  calls: ZlibCalls,
  input: Uint8Array,
  { outputBytes }: DecompressOptions,
): Promise<Uint8Array | undefined> {
  try {
    const output = await calls.inflate(input, {
      chunkSize: outputBytes,
      maxOutputLength: outputBytes,
      finishFlush: constants.Z_SYNC_FLUSH,
    });
    return requireWhole(plain(output), outputBytes);
  } catch {
    return undefined;
  }
}

async function zstdNative(
  calls: ZlibCalls,
  input: Uint8Array,
  { outputBytes }: DecompressOptions,
): Promise<Uint8Array | undefined> {
  const frame = input.subarray(0, zstdFrameEnd(input));
  if (frame.byteLength === 0) throw badStream("it is empty");
  try {
    const output = await calls.zstdDecompress(frame, {
      chunkSize: outputBytes,
      maxOutputLength: outputBytes,
      params: { [constants.ZSTD_d_windowLogMax]: maxWindowLog },
    });
    // A cluster may be made of several frames.
    return output.byteLength === outputBytes ? plain(output) : undefined;
  } catch {
    return undefined;
  }
}

function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

import { availableParallelism } from "node:os";
import type { ZlibOptions, ZstdOptions } from "node:zlib";
import { SpareBuffers } from "../bytes/spare-buffers.ts";
import { type Codec, putInto } from "../codec/codec.ts";
import type { CodecCall, CodecFailure, CodecJob, CodecResult } from "./codec-worker.ts";
import { codecOf, threadPoolCalls, type ZlibCall } from "./node-codec.ts";
import { WorkerPool } from "./worker-pool.ts";

/** A codec that works in threads of its own. */
export interface WorkerCodec extends Codec, AsyncDisposable {
  /** Compresses one cluster. */
  compress: NonNullable<Codec["compress"]>;
  /** Waits for what is under way and ends the threads. Used after that, the codec works in Node's thread pool. */
  close(): Promise<void>;
}

/** How {@link openWorkerCodec} works. */
export interface OpenWorkerCodecOptions {
  /** Most threads; as many as the process may use processors unless given. They start when they are needed. */
  readonly threads?: number;
}

/**
 * Makes a codec for much data at a time, such as converting or reading whole disks: clusters that are asked for together go
 * to a worker thread together, for much less work than one by one through Node's thread pool, and this thread stays free.
 *
 * Threads that have nothing to do do not keep the process alive. Where none can be started, Node's thread pool is used.
 */
export function openWorkerCodec(options: OpenWorkerCodecOptions = {}): WorkerCodec {
  const { threads = availableParallelism() } = options;
  return workerCodecOn(new WorkerPool(Math.max(1, threads)));
}

/** {@link openWorkerCodec} on given threads. */
export function workerCodecOn(pool: WorkerPool): WorkerCodec {
  const spare = new SpareBuffers(maxSpareBytes);
  const caller = <Options extends CallOptions>(
    call: CodecCall,
    instead: ZlibCall<Options>,
  ): ZlibCall<Options> => {
    const batches = new Batches(call, instead, pool, spare);
    return (input, options, into) => batches.run(input, options, into);
  };
  const { inflate, deflate, zstdDecompress, zstdCompress } = threadPoolCalls;
  const codec = codecOf({
    inflate: caller("inflateRawSync", inflate),
    deflate: caller("deflateRawSync", deflate),
    zstdDecompress: caller("zstdDecompressSync", zstdDecompress),
    zstdCompress: caller("zstdCompressSync", zstdCompress),
  });
  const close = (): Promise<void> => pool.close();
  return { ...codec, close, [Symbol.asyncDispose]: close };
}

type CallOptions = ZlibOptions | ZstdOptions;

interface Batch<Options> {
  readonly options: Options;
  readonly items: BatchItem[];
  /** Bytes that go in or come out, whichever is more. */
  weight: number;
}

interface BatchItem {
  readonly input: Uint8Array;
  readonly into: Uint8Array | undefined;
  readonly resolve: (output: Buffer | Promise<Buffer>) => void;
  readonly reject: (error: unknown) => void;
}

/** Few enough that several threads share the clusters of one read, many enough that a message costs little. */
const maxBatchBytes = 2 ** 19;
/** The batches of four threads, in and out. */
const maxSpareBytes = 16 * maxBatchBytes;

/** Puts calls of one kind that are made in the same turn of the event loop together. */
class Batches<Options extends CallOptions> {
  readonly #call: CodecCall;
  readonly #instead: ZlibCall<Options>;
  readonly #pool: WorkerPool;
  readonly #spare: SpareBuffers;
  #open: Batch<Options> | undefined;

  /** @param instead - Does it where the threads fail. */
  constructor(call: CodecCall, instead: ZlibCall<Options>, pool: WorkerPool, spare: SpareBuffers) {
    this.#call = call;
    this.#instead = instead;
    this.#pool = pool;
    this.#spare = spare;
  }

  run(input: Uint8Array, options: Options, into: Uint8Array | undefined): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.#open?.options !== options) this.#close();
      const batch = this.#open ?? this.#start(options);
      batch.items.push({ input, into, resolve, reject });
      batch.weight += Math.max(input.byteLength, options.chunkSize ?? 0);
      if (batch.weight >= maxBatchBytes) this.#close();
    });
  }

  #start(options: Options): Batch<Options> {
    const batch: Batch<Options> = { options, items: [], weight: 0 };
    this.#open = batch;
    queueMicrotask(() => {
      if (this.#open === batch) this.#close();
    });
    return batch;
  }

  #close(): void {
    const batch = this.#open;
    this.#open = undefined;
    if (batch) void this.#send(batch);
  }

  async #send(batch: Batch<Options>): Promise<void> {
    let result: CodecResult;
    try {
      result = await this.#pool.run(() => this.#jobOf(batch));
    } catch {
      // The threads failed, not the call.
      for (const { input, resolve } of batch.items)
        resolve(this.#callInstead(input, batch.options));
      return;
    }
    let end = 0;
    let failed = 0;
    for (const [index, { into, resolve, reject }] of batch.items.entries()) {
      const length = result.lengths[index] ?? -1;
      if (length < 0) {
        reject(errorOf(result.failures[failed++]));
        continue;
      }
      const output = result.bytes.subarray(end, end + length);
      end += length;
      const placed = putInto(output, into);
      const own = placed === output ? output.slice() : placed;
      resolve(Buffer.from(own.buffer, own.byteOffset, own.byteLength));
    }
    this.#spare.give(result.bytes);
    this.#spare.give(result.spent);
  }

  async #callInstead(input: Uint8Array, options: Options): Promise<Buffer> {
    return this.#instead(input, options);
  }

  /** Made only when a thread is free for it, so that what waits needs no memory. */
  #jobOf({ options, items, weight }: Batch<Options>): CodecJob {
    const lengths = items.map(({ input }) => input.byteLength);
    const bytes = this.#spare.take(weight);
    let at = 0;
    for (const { input } of items) {
      bytes.set(input, at);
      at += input.byteLength;
    }
    return { call: this.#call, options, bytes, lengths, room: this.#spare.take(weight) };
  }
}

function errorOf(failure: CodecFailure | undefined): unknown {
  if (failure?.error instanceof Error) return Object.assign(failure.error, { code: failure.code });
  return failure?.error;
}

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
  const batches = new Batches(pool);
  const { inflate, deflate, zstdDecompress, zstdCompress } = threadPoolCalls;
  const codec = codecOf({
    inflate: batches.caller("inflateRawSync", inflate),
    deflate: batches.caller("deflateRawSync", deflate),
    zstdDecompress: batches.caller("zstdDecompressSync", zstdDecompress),
    zstdCompress: batches.caller("zstdCompressSync", zstdCompress),
  });
  const close = (): Promise<void> => pool.close();
  return { ...codec, close, [Symbol.asyncDispose]: close };
}

type CallOptions = ZlibOptions | ZstdOptions;

interface Batch {
  readonly call: CodecCall;
  readonly options: CallOptions;
  readonly items: BatchItem[];
  /** Bytes that go in or come out, whichever is more. */
  weight: number;
}

interface BatchItem {
  readonly input: Uint8Array;
  readonly into: Uint8Array | undefined;
  /** `undefined` when the threads failed, not the call. */
  readonly settle: (output: Uint8Array | undefined) => void;
  /** Takes what the call threw. */
  readonly fail: (error: unknown) => void;
}

/** Few enough that several threads share the clusters of one read, many enough that a message costs little. */
const maxBatchBytes = 2 ** 18;
/** The batches of four threads, in and out. */
const maxSpareBytes = 16 * maxBatchBytes;

/** Puts calls of the same turn of the event loop together. */
class Batches {
  readonly #pool: WorkerPool;
  readonly #open = new Map<string, Batch>();
  readonly #spare = new SpareBuffers(maxSpareBytes);

  constructor(pool: WorkerPool) {
    this.#pool = pool;
  }

  /** A call that joins a batch; `instead` does it where the threads fail. */
  caller<Options extends CallOptions>(
    call: CodecCall,
    instead: ZlibCall<Options>,
  ): ZlibCall<Options> {
    return async (input, options, into) => {
      const output = await new Promise<Uint8Array | undefined>((settle, fail) =>
        this.#add(call, options, { input, into, settle, fail }),
      );
      if (output === undefined) return instead(input, options);
      return Buffer.from(output.buffer, output.byteOffset, output.byteLength);
    };
  }

  #add(call: CodecCall, options: CallOptions, item: BatchItem): void {
    const key = `${call} ${JSON.stringify(options)}`;
    if (this.#open.size === 0) queueMicrotask(() => this.#flush());
    let batch = this.#open.get(key);
    if (batch === undefined) {
      batch = { call, options, items: [], weight: 0 };
      this.#open.set(key, batch);
    }
    batch.items.push(item);
    batch.weight += Math.max(item.input.byteLength, options.chunkSize ?? 0);
    if (batch.weight < maxBatchBytes) return;
    // Stays open under its key for the microtask that is waiting already.
    this.#open.set(key, { call, options, items: [], weight: 0 });
    void this.#send(batch);
  }

  #flush(): void {
    const batches = [...this.#open.values()];
    this.#open.clear();
    for (const batch of batches) if (batch.items.length > 0) void this.#send(batch);
  }

  async #send(batch: Batch): Promise<void> {
    let result: CodecResult | undefined;
    try {
      result = await this.#pool.run(() => this.#jobOf(batch));
    } catch {
      result = undefined;
    }
    let end = 0;
    let failed = 0;
    for (const [index, { into, settle, fail }] of batch.items.entries()) {
      const length = result?.lengths[index];
      if (result === undefined || length === undefined) settle(undefined);
      else if (length < 0) fail(errorOf(result.failures[failed++]));
      else {
        const output = result.bytes.subarray(end, end + length);
        const placed = putInto(output, into);
        settle(placed === output ? output.slice() : placed);
        end += length;
      }
    }
    if (result === undefined) return;
    this.#spare.give(result.bytes);
    this.#spare.give(result.spent);
  }

  /** Made only when a thread is free for it, so that what waits needs no memory. */
  #jobOf({ call, options, items, weight }: Batch): CodecJob {
    const lengths = items.map(({ input }) => input.byteLength);
    const bytes = this.#spare.take(weight);
    let at = 0;
    for (const { input } of items) {
      bytes.set(input, at);
      at += input.byteLength;
    }
    return { call, options, bytes, lengths, room: this.#spare.take(weight) };
  }
}

function errorOf(failure: CodecFailure | undefined): unknown {
  if (failure?.error instanceof Error) return Object.assign(failure.error, { code: failure.code });
  return failure?.error;
}

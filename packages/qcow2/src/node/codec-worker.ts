import type { MessagePort } from "node:worker_threads";
import type { ZlibOptions, ZstdOptions } from "node:zlib";

/** A call of `node:zlib` that works on the calling thread. */
export type CodecCall =
  | "inflateRawSync"
  | "deflateRawSync"
  | "zstdDecompressSync"
  | "zstdCompressSync";

/** One call for several inputs. */
export interface CodecJob {
  /** Which call. */
  readonly call: CodecCall;
  /** Its options. */
  readonly options: ZlibOptions | ZstdOptions;
  /** Memory whose start holds the inputs, one behind the other. It comes back with the result. */
  readonly bytes: Uint8Array;
  /** Bytes of each input. */
  readonly lengths: readonly number[];
  /** Memory for the outputs; more is made where they do not fit. */
  readonly room: Uint8Array;
}

/** What came out. */
export interface CodecResult {
  /** The job's `room`, or larger memory, whose start holds the outputs, one behind the other. */
  readonly bytes: Uint8Array;
  /** Bytes of each output; -1 where the call threw. */
  readonly lengths: readonly number[];
  /** What the calls threw, in their order. */
  readonly failures: readonly CodecFailure[];
  /** The job's `bytes`. */
  readonly spent: Uint8Array;
}

/** What a call threw. A port takes an error without its code. */
export interface CodecFailure {
  /** The error. */
  readonly error: unknown;
  /** Its code, when it has one. */
  readonly code: unknown;
}

/**
 * Answers each job that comes in at a port.
 *
 * It is run in workers by its text, so that it survives every bundler: it uses nothing from outside of itself.
 */
export function serveCodecJobs(port: Pick<MessagePort, "on" | "postMessage">): void {
  const zlib = process.getBuiltinModule("node:zlib");
  port.on("message", ({ call, options, bytes: spent, lengths: inputs, room }: CodecJob) => {
    const run = zlib[call] as (input: Uint8Array, options: object) => Buffer<ArrayBuffer>;
    const lengths: number[] = [];
    const failures: CodecFailure[] = [];
    let bytes = room;
    let at = 0;
    let end = 0;
    for (const length of inputs) {
      const input = spent.subarray(at, at + length);
      at += length;
      try {
        const output = run(input, options);
        const needed = end + output.byteLength;
        if (needed > bytes.byteLength) {
          const larger = new Uint8Array(needed * 2);
          larger.set(bytes);
          bytes = larger;
        }
        bytes.set(output, end);
        lengths.push(output.byteLength);
        end = needed;
        // At once: the collector lets tens of megabytes gather in every thread. Small buffers share their memory.
        const { buffer, byteOffset } = output;
        if (byteOffset === 0 && buffer.byteLength > Buffer.poolSize) buffer.transfer(0);
      } catch (error) {
        lengths.push(-1);
        failures.push({ error, code: (error as { code?: unknown }).code });
      }
    }
    const result: CodecResult = { bytes, lengths, failures, spent };
    port.postMessage(result, [bytes.buffer as ArrayBuffer, spent.buffer as ArrayBuffer]);
  });
}

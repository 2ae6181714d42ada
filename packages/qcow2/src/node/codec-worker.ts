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
  /** The inputs, one behind the other. */
  readonly bytes: Uint8Array;
  /** Bytes of each input. */
  readonly lengths: readonly number[];
}

/** What came out. */
export interface CodecResult {
  /** The outputs, one behind the other. */
  readonly bytes: Uint8Array;
  /** Bytes of each output; -1 for an input that the call refused. */
  readonly lengths: readonly number[];
}

/**
 * Answers each job that comes in at a port.
 *
 * It is run in workers by its text, so that it survives every bundler: it uses nothing from outside of itself.
 */
export function serveCodecJobs(port: Pick<MessagePort, "on" | "postMessage">): void {
  const zlib = process.getBuiltinModule("node:zlib");
  port.on("message", (job: CodecJob) => {
    const outputs: Uint8Array[] = [];
    const lengths: number[] = [];
    let total = 0;
    let at = 0;
    for (const length of job.lengths) {
      const input = job.bytes.subarray(at, at + length);
      at += length;
      try {
        const call = zlib[job.call] as (input: Uint8Array, options: object) => Uint8Array;
        const output = call(input, job.options);
        outputs.push(output);
        lengths.push(output.byteLength);
        total += output.byteLength;
      } catch {
        lengths.push(-1);
      }
    }
    const bytes = Buffer.allocUnsafeSlow(total);
    let end = 0;
    for (const output of outputs) {
      bytes.set(output, end);
      end += output.byteLength;
    }
    port.postMessage({ bytes, lengths }, [bytes.buffer]);
  });
}

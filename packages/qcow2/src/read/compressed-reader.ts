import { allDone } from "../bytes/all-done.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import { SpareBuffers } from "../bytes/spare-buffers.ts";
import { type Codec, type CompressionType, putInto } from "../codec/codec.ts";
import { Qcow2Error } from "../errors.ts";
import type { Run } from "./run.ts";

const maxGroupBytes = 4 * 2 ** 20;
const maxGapBytes = 65536;
const cachedBytes = 2 ** 20;
/** Of the memory that stored bytes are read into; a few reads of a megabyte. */
const maxSpareBytes = 4 * 2 ** 20;

/** Reads and decompresses clusters; neighbours are read together and decompressed at the same time. */
export class CompressedReader {
  readonly #reader: SourceReader;
  readonly #codec: Codec;
  readonly #type: CompressionType;
  readonly #clusterSize: number;
  readonly #allowsLonger: boolean;
  readonly #recent = new Map<number, Promise<Uint8Array>>();
  readonly #spare = new SpareBuffers(maxSpareBytes);

  constructor(
    reader: SourceReader,
    codec: Codec,
    type: CompressionType,
    clusterSize: number,
    allowsLonger: boolean,
  ) {
    this.#reader = reader;
    this.#codec = codec;
    this.#type = type;
    this.#clusterSize = clusterSize;
    this.#allowsLonger = allowsLonger;
  }

  /**
   * Fills the parts of `into` that the given runs cover.
   *
   * @param base - The byte of the virtual disk that `into` starts with.
   */
  async readInto(runs: readonly Run[], base: number, into: Uint8Array): Promise<void> {
    for (const group of groupsOf(runs)) await this.#readGroup(group, base, into);
  }

  async #readGroup(group: readonly Run[], base: number, into: Uint8Array): Promise<void> {
    const wanted = group.map((run) => ({ run, known: this.#recent.get(run.hostOffset) }));
    const unread = wanted.filter(({ known }) => known === undefined).map(({ run }) => run);
    const first = Math.min(...unread.map(({ hostOffset }) => hostOffset));
    const end = Math.max(...unread.map(({ hostOffset, storedBytes }) => hostOffset + storedBytes));
    const room = unread.length > 0 ? this.#spare.take(end - first) : new Uint8Array(0);
    const stored =
      unread.length > 0 ? await this.#reader.readAvailable(first, end - first, room) : room;
    await allDone(
      wanted.map(async ({ run, known }) => {
        const at = run.hostOffset - first;
        const part = into.subarray(run.start - base, run.start - base + run.length);
        const cluster = await (known ??
          this.#decompress(run, stored.subarray(at, at + run.storedBytes), part));
        // A whole cluster may be in its place already.
        const within = run.start % this.#clusterSize;
        putInto(cluster.subarray(within, within + run.length), part);
      }),
    );
    this.#spare.give(room);
  }

  #decompress(run: Run, stored: Uint8Array, into: Uint8Array): Promise<Uint8Array> {
    // The rest of a cluster is likely to be asked for next; one that is taken whole is not.
    if (run.length === this.#clusterSize) return this.#decompressOne(run, stored, into);
    const cluster = this.#decompressOne(run, stored);
    this.#recent.set(run.hostOffset, cluster);
    cluster.catch(() => this.#recent.delete(run.hostOffset));
    if (this.#recent.size > Math.max(1, cachedBytes / this.#clusterSize)) {
      const [oldest] = this.#recent.keys();
      if (oldest !== undefined) this.#recent.delete(oldest);
    }
    return cluster;
  }

  async #decompressOne(run: Run, stored: Uint8Array, into?: Uint8Array): Promise<Uint8Array> {
    try {
      const outputBytes = this.#clusterSize;
      const output = await this.#codec.decompress(this.#type, stored, {
        outputBytes,
        allowsLonger: this.#allowsLonger,
        ...(into !== undefined && { into }),
      });
      if (output.byteLength === outputBytes) return output;
      throw wrongLength(output.byteLength, outputBytes);
    } catch (error) {
      if (!(error instanceof Qcow2Error) || error.offset !== undefined) throw error;
      throw new Qcow2Error({
        code: error.code,
        message: `${error.message} (at byte ${run.hostOffset} of the image)`,
        offset: run.hostOffset,
        structure: "compressed cluster",
        cause: error,
      });
    }
  }
}

/** A fault of the codec that was passed, and not of the image. */
function wrongLength(byteLength: number, outputBytes: number): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_INVALID_ARGUMENT",
    message: `the codec gave ${byteLength} bytes for a cluster of ${outputBytes}`,
  });
}

/** Puts neighbouring runs together whose stored bytes one read can bring. */
function groupsOf(runs: readonly Run[]): Run[][] {
  const groups: Run[][] = [];
  let end = 0;
  let first = 0;
  for (const run of runs) {
    const group = groups.at(-1);
    const runEnd = run.hostOffset + run.storedBytes;
    const isNear = run.hostOffset >= first && run.hostOffset <= end + maxGapBytes;
    if (group !== undefined && isNear && runEnd - first <= maxGroupBytes) {
      group.push(run);
      end = Math.max(end, runEnd);
      continue;
    }
    groups.push([run]);
    first = run.hostOffset;
    end = runEnd;
  }
  return groups;
}

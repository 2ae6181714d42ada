import type { SourceReader } from "../bytes/source-reader.ts";
import type { Codec, CompressionType } from "../codec/codec.ts";
import { Qcow2Error } from "../errors.ts";
import type { Run } from "./run.ts";

const maxGroupBytes = 4 * 2 ** 20;
const maxGapBytes = 65536;
const cachedBytes = 2 ** 20;

/** Reads and decompresses clusters; neighbours are read together and decompressed at the same time. */
export class CompressedReader {
  readonly #reader: SourceReader;
  readonly #codec: Codec;
  readonly #type: CompressionType;
  readonly #clusterSize: number;
  readonly #allowsLonger: boolean;
  readonly #recent = new Map<number, Promise<Uint8Array>>();

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
    const unread = group.filter(({ hostOffset }) => !this.#recent.has(hostOffset));
    const first = Math.min(...unread.map(({ hostOffset }) => hostOffset));
    const end = Math.max(...unread.map(({ hostOffset, storedBytes }) => hostOffset + storedBytes));
    const stored =
      unread.length === 0
        ? new Uint8Array(0)
        : await this.#reader.readAvailable(first, end - first);
    await Promise.all(
      group.map(async (run) => {
        const at = run.hostOffset - first;
        const cluster = await this.#cluster(run, () => stored.subarray(at, at + run.storedBytes));
        const within = run.start % this.#clusterSize;
        into.set(cluster.subarray(within, within + run.length), run.start - base);
      }),
    );
  }

  #cluster(run: Run, stored: () => Uint8Array): Promise<Uint8Array> {
    const known = this.#recent.get(run.hostOffset);
    if (known !== undefined) return known;
    const cluster = this.#decompress(run, stored());
    // The rest of a cluster is likely to be asked for next; one that was taken whole is not.
    if (run.length === this.#clusterSize) return cluster;
    this.#recent.set(run.hostOffset, cluster);
    cluster.catch(() => this.#recent.delete(run.hostOffset));
    if (this.#recent.size > Math.max(1, cachedBytes / this.#clusterSize)) {
      const [oldest] = this.#recent.keys();
      if (oldest !== undefined) this.#recent.delete(oldest);
    }
    return cluster;
  }

  async #decompress(run: Run, stored: Uint8Array): Promise<Uint8Array> {
    try {
      return await this.#codec.decompress(this.#type, stored, {
        outputBytes: this.#clusterSize,
        allowsLonger: this.#allowsLonger,
      });
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

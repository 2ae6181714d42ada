import { Qcow2Error } from "../errors.ts";

/** Hands out the clusters of a new image file from its start to its end, and counts how often each is used. */
export class HostLayout {
  readonly #clusterSize: number;
  readonly #maxRefcount: number;
  /** Refcounts; a missing one is 1. Only compressed clusters share. */
  #counts = new Uint32Array(1024);
  #next = 0;
  #packedAt = 0;

  constructor(clusterBits: number, refcountOrder: number) {
    this.#clusterSize = 2 ** clusterBits;
    this.#maxRefcount = Math.min(2 ** (2 ** refcountOrder) - 1, 2 ** 32 - 1);
  }

  /** Number of clusters that were handed out. */
  get clusters(): number {
    return this.#next;
  }

  /** How often a cluster is used. */
  refcount(cluster: number): number {
    return this.#counts[cluster] ?? 0;
  }

  /** Takes clusters next to each other; returns the first byte. */
  take(clusters: number): number {
    const first = this.#next;
    this.#next += clusters;
    if (this.#next * this.#clusterSize > Number.MAX_SAFE_INTEGER) throw tooLarge();
    this.#reserve(this.#next);
    this.#counts.fill(1, first, this.#next);
    return first * this.#clusterSize;
  }

  /** Takes room for compressed bytes: behind the last ones where they fit or the file ends there, else in a new cluster. */
  pack(lengthBytes: number): number {
    const room = this.#roomAtPacked();
    if (lengthBytes > room) this.#packedAt = this.take(1);
    const offset = this.#packedAt;
    const first = Math.floor(offset / this.#clusterSize);
    const last = Math.floor((offset + lengthBytes - 1) / this.#clusterSize);
    if (lengthBytes > room) this.#counts[first] = 0;
    if (last >= this.#next) {
      this.take(last + 1 - this.#next);
      this.#counts[last] = 0;
    }
    for (let cluster = first; cluster <= last; cluster++) {
      this.#counts[cluster] = (this.#counts[cluster] as number) + 1;
    }
    this.#packedAt = offset + lengthBytes;
    return offset;
  }

  /** Bytes that can follow the last packed ones. */
  #roomAtPacked(): number {
    const within = this.#packedAt % this.#clusterSize;
    const cluster = Math.floor(this.#packedAt / this.#clusterSize);
    if (within === 0 || (this.#counts[cluster] ?? 0) >= this.#maxRefcount) return 0;
    const isLast = cluster === this.#next - 1;
    return isLast && this.#maxRefcount > 1 ? Number.POSITIVE_INFINITY : this.#clusterSize - within;
  }

  #reserve(clusters: number): void {
    if (clusters <= this.#counts.length) return;
    const grown = new Uint32Array(Math.max(clusters, this.#counts.length * 2));
    grown.set(this.#counts);
    this.#counts = grown;
  }
}

function tooLarge(): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_IMAGE_TOO_LARGE",
    message: "the image file would have 2^53 bytes or more",
  });
}

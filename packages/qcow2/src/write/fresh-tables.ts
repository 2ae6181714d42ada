import type { Qcow2Structure } from "../errors.ts";
import type { ImageStore } from "./image-store.ts";

/**
 * Tables that are written to free clusters before anything names them. When the work that was to name them fails, they
 * are given back.
 */
export class FreshTables {
  readonly #store: ImageStore;
  #made: { offset: number; lengthBytes: number; structure: Qcow2Structure }[] = [];

  private constructor(store: ImageStore) {
    this.#store = store;
  }

  /** Does work that writes tables; what it has not kept when it fails is free again with the next commit. */
  static async use<Value>(
    store: ImageStore,
    work: (fresh: FreshTables) => Promise<Value>,
  ): Promise<Value> {
    const fresh = new FreshTables(store);
    try {
      return await work(fresh);
    } catch (error) {
      fresh.#giveBack();
      throw error;
    }
  }

  /** Writes a table, whole clusters of it, and says where it is. */
  async write(bytes: Uint8Array, structure: Qcow2Structure): Promise<number> {
    const { clusterSize } = this.#store;
    const { offset } = await this.#store.allocateRun(bytes.byteLength / clusterSize);
    this.#made.push({ offset, lengthBytes: bytes.byteLength, structure });
    await this.#store.writeFresh(offset, bytes, structure);
    return offset;
  }

  /** Says that all of them are named in the file. */
  keep(): void {
    this.#made = [];
  }

  #giveBack(): void {
    // Whether the file names them is not known then, and nothing more is written.
    if (this.#store.host.hasFailed) return;
    for (const { offset, lengthBytes, structure } of this.#made) {
      this.#store.retire(offset, lengthBytes, structure);
    }
  }
}

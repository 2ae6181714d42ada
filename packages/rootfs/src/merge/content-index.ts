import type { FileTree, NodeId } from "@box/ext4";

/** Where the content of a layer's live files is. */
export interface LayerContents {
  /** Positions of the entries in the layer, ascending; the first entry is 0. */
  readonly entries: Float64Array;
  /** The file of each. */
  readonly nodes: Uint32Array;
}

/** Remembers for every file which entry of which layer holds its content: two columns, no object per file. */
export class ContentIndex {
  #layers: Uint32Array = new Uint32Array(1024);
  #entries: Float64Array = new Float64Array(1024).fill(-1);

  /** Notes where the content of a file is. */
  set(node: NodeId, layer: number, entry: number): void {
    if (node >= this.#entries.length) this.#grow(node);
    this.#layers[node] = layer;
    this.#entries[node] = entry;
  }

  /**
   * The files of each layer that are alive in `tree` and not empty. Files get their nodes in the order of their entries,
   * so that one walk over the nodes finds them in that order.
   */
  byLayer(tree: FileTree): Map<number, LayerContents> {
    const found = new Map<number, { entries: number[]; nodes: number[] }>();
    const last = Math.min(tree.nodeLimit, this.#entries.length);
    for (let node = 0; node < last; node++) {
      const entry = this.#entries[node] as number;
      if (entry < 0 || !tree.isAlive(node) || tree.sizeBytes(node) === 0) continue;
      const layer = this.#layers[node] as number;
      let contents = found.get(layer);
      if (contents === undefined) {
        contents = { entries: [], nodes: [] };
        found.set(layer, contents);
      }
      contents.entries.push(entry);
      contents.nodes.push(node);
    }
    return new Map(
      [...found].map(([layer, { entries, nodes }]) => [
        layer,
        { entries: Float64Array.from(entries), nodes: Uint32Array.from(nodes) },
      ]),
    );
  }

  #grow(node: NodeId): void {
    const capacity = Math.max(node + 1, this.#entries.length * 2);
    const layers = new Uint32Array(capacity);
    layers.set(this.#layers);
    const entries = new Float64Array(capacity).fill(-1);
    entries.set(this.#entries);
    this.#layers = layers;
    this.#entries = entries;
  }
}

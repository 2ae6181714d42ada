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
  #layers: Uint16Array = new Uint16Array(1024);
  #entries: Float64Array = new Float64Array(1024).fill(-1);

  /** Notes where the content of a file is. */
  set(node: NodeId, layer: number, entry: number): void {
    if (node >= this.#entries.length) this.#grow(node);
    this.#layers[node] = layer;
    this.#entries[node] = entry;
  }

  /** The files of one layer that are alive in `tree` and not empty, in the order of their entries. */
  of(tree: FileTree, layer: number): LayerContents {
    const nodes: number[] = [];
    const last = Math.min(tree.nodeLimit, this.#entries.length);
    for (let node = 0; node < last; node++) {
      const isHere = this.#layers[node] === layer && (this.#entries[node] as number) >= 0;
      if (isHere && tree.isAlive(node) && tree.sizeBytes(node) > 0) nodes.push(node);
    }
    const entryOf = (node: NodeId): number => this.#entries[node] as number;
    nodes.sort((a, b) => entryOf(a) - entryOf(b));
    return { entries: Float64Array.from(nodes, entryOf), nodes: Uint32Array.from(nodes) };
  }

  #grow(node: NodeId): void {
    const capacity = Math.max(node + 1, this.#entries.length * 2);
    const layers = new Uint16Array(capacity);
    layers.set(this.#layers);
    const entries = new Float64Array(capacity).fill(-1);
    entries.set(this.#entries);
    this.#layers = layers;
    this.#entries = entries;
  }
}

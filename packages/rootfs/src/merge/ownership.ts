import type { FileTree, NodeId } from "@box/ext4";

const nobody = -1;

/**
 * Remembers what the layer at work has made, so that its whiteouts leave that alone.
 *
 * A directory is the layer's own when the layer listed it or anything below it. Any other name is its own when the layer
 * made the file, or gave a lower layer's file this one more name.
 */
export class LayerOwnership {
  readonly #tree: FileTree;
  #layers: Int32Array = new Int32Array(1024).fill(nobody);
  readonly #linkedNames: Set<string> = new Set();
  readonly #cleared: Set<NodeId> = new Set();
  #layer = nobody;

  constructor(tree: FileTree) {
    this.#tree = tree;
  }

  /** Starts the next layer: nothing is its own yet. */
  begin(layer: number): void {
    this.#layer = layer;
    this.#linkedNames.clear();
    this.#cleared.clear();
  }

  /** Marks a file that the layer made. */
  markFile(node: NodeId): void {
    if (node >= this.#layers.length) this.#grow(node);
    this.#layers[node] = this.#layer;
  }

  /** Marks a directory and all above it. */
  markDirectory(directory: NodeId): void {
    let at = directory;
    while (this.#layers[at] !== this.#layer) {
      this.markFile(at);
      at = this.#tree.parentOf(at);
    }
  }

  /** Marks one more name for a file. */
  markLink(parent: NodeId, name: Uint8Array, node: NodeId): void {
    if (!this.#isOwnNode(node)) this.#linkedNames.add(keyOf(parent, name));
  }

  /** Whether a name stands for something that the layer made. */
  isOwn(parent: NodeId, name: Uint8Array, node: NodeId): boolean {
    if (this.#isOwnNode(node)) return true;
    return this.#linkedNames.size > 0 && this.#linkedNames.has(keyOf(parent, name));
  }

  /**
   * Notes that a directory holds nothing of lower layers any more, which stays so until the layer ends.
   *
   * @returns Whether that is new.
   */
  markCleared(directory: NodeId): boolean {
    if (this.#cleared.has(directory)) return false;
    this.#cleared.add(directory);
    return true;
  }

  #isOwnNode(node: NodeId): boolean {
    return this.#layers[node] === this.#layer;
  }

  #grow(node: NodeId): void {
    const larger = new Int32Array(Math.max(node + 1, this.#layers.length * 2)).fill(nobody);
    larger.set(this.#layers);
    this.#layers = larger;
  }
}

function keyOf(parent: NodeId, name: Uint8Array): string {
  return `${parent}/${Buffer.from(name).toString("latin1")}`;
}

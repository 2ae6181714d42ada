import type { FileTree, NodeId } from "@box/ext4";
import { RootfsError } from "../errors.ts";

const nobody = -1;

/**
 * Remembers what the layer at work has made, so that its whiteouts leave that alone.
 *
 * A directory is the layer's own when the layer listed it or anything below it. Any other name is its own when the layer
 * made the file, or gave a lower layer's file this one more name.
 */
export class LayerOwnership {
  readonly #tree: FileTree;
  /** The last layer that made a node, by node. */
  readonly #makers: NumberColumn = new NumberColumn();
  /** The last layer that gave a lower layer's file a name, by name. */
  readonly #linkers: NumberColumn = new NumberColumn();
  readonly #cleared: Set<NodeId> = new Set();
  /** How often a directory was cleared, and at which count each was last opened again, with all above it. */
  #clearings = 0;
  readonly #openSince: NumberColumn = new NumberColumn();
  readonly #maxLooks: number;
  #looks = 0;
  #layer = nobody;

  /** @param maxLooks - How many names markers may look at in all. */
  constructor(tree: FileTree, maxLooks: number) {
    this.#tree = tree;
    this.#maxLooks = maxLooks;
  }

  /** Starts the next layer: nothing is its own yet. */
  begin(layer: number): void {
    this.#layer = layer;
    this.#cleared.clear();
  }

  /** Marks a file that the layer made. */
  markFile(node: NodeId): void {
    this.#makers.set(node, this.#layer);
  }

  /** Marks a directory and all above it. */
  markDirectory(directory: NodeId): void {
    let at = directory;
    while (!this.#isOwnNode(at)) {
      this.markFile(at);
      at = this.#tree.parentOf(at);
    }
  }

  /** Marks one more name for a file, which is there already. */
  markLink(parent: NodeId, name: Uint8Array, node: NodeId): void {
    if (!this.#isOwnNode(node)) {
      this.#linkers.set(this.#tree.nameId(parent, name) as number, this.#layer);
    }
  }

  /** Whether a name stands for something that the layer made. */
  isOwn(parent: NodeId, name: Uint8Array, node: NodeId): boolean {
    if (this.#isOwnNode(node)) return true;
    if (!this.#linkers.hasJustHad(this.#layer)) return false;
    const id = this.#tree.nameId(parent, name);
    return id !== undefined && this.#linkers.get(id) === this.#layer;
  }

  /**
   * Notes that a directory holds nothing of lower layers any more, which stays so until the layer ends or it is opened again.
   *
   * @returns Whether that is new.
   */
  markCleared(directory: NodeId): boolean {
    if (this.#cleared.has(directory)) return false;
    this.#cleared.add(directory);
    this.#clearings += 1;
    return true;
  }

  /** Notes that what is made in a directory is nobody's: the next marker looks there again. */
  reopen(directory: NodeId): void {
    if (this.#cleared.size === 0) return;
    let at = directory;
    while (this.#openSince.get(at) !== this.#clearings) {
      this.#openSince.set(at, this.#clearings);
      this.#cleared.delete(at);
      at = this.#tree.parentOf(at);
    }
  }

  /** Counts a name that a marker looks at. @throws RootfsError `ROOTFS_LIMIT`. */
  countLook(): void {
    this.#looks += 1;
    if (this.#looks <= this.#maxLooks) return;
    throw new RootfsError({
      code: "ROOTFS_LIMIT",
      message: `whiteouts make the layers be looked through for more than ${this.#maxLooks} names`,
    });
  }

  #isOwnNode(node: NodeId): boolean {
    return this.#makers.get(node) === this.#layer;
  }
}

/** A number, a layer's or another, for each of many small whole numbers. */
class NumberColumn {
  #numbers: Int32Array = new Int32Array(1024).fill(nobody);
  #last = nobody;

  get(index: number): number {
    return this.#numbers[index] ?? nobody;
  }

  set(index: number, number: number): void {
    if (index >= this.#numbers.length) this.#grow(index);
    this.#numbers[index] = number;
    this.#last = number;
  }

  /** Whether it is the number that was set last. */
  hasJustHad(number: number): boolean {
    return this.#last === number;
  }

  #grow(index: number): void {
    const larger = new Int32Array(Math.max(index + 1, this.#numbers.length * 2)).fill(nobody);
    larger.set(this.#numbers);
    this.#numbers = larger;
  }
}

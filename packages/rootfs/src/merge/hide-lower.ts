import type { FileTree, NodeId } from "@box/ext4";
import type { LayerOwnership } from "./ownership.ts";

/** Whiteout of one name: what lower layers have under it goes, what the layer itself made stays. */
export function hideLowerName(
  tree: FileTree,
  own: LayerOwnership,
  parent: NodeId,
  name: Uint8Array,
): void {
  const node = tree.lookup(parent, name);
  if (node === undefined) return;
  if (!own.isOwn(parent, name, node)) tree.remove(parent, name);
  else if (tree.type(node) === "directory") hideLowerChildren(tree, own, node);
}

/**
 * Opaque directory: the same for everything in it, at any depth; the directory stays. A layer's markers walk over each
 * directory once, however many there are.
 */
export function hideLowerChildren(tree: FileTree, own: LayerOwnership, directory: NodeId): void {
  const pending = [directory];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    if (!own.markCleared(at)) continue;
    for (const { name, node } of tree.children(at)) {
      own.countLook();
      if (!own.isOwn(at, name, node)) tree.remove(at, name);
      else if (tree.type(node) === "directory") pending.push(node);
    }
  }
}

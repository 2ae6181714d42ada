import { latin1, type ReadEntry } from "./read-tar.ts";

/** The layers' files merged by the OCI rules, by path; names of one file share one value. The shortest way to do it, in memory. */
export function mergeLayers(layers: readonly (readonly ReadEntry[])[]): Map<string, ReadEntry> {
  const tree = new Map<string, ReadEntry>();
  for (const layer of layers) {
    for (const { entry } of layer) hide(tree, latin1(entry.path));
    for (const file of layer) add(tree, file);
  }
  return tree;
}

/** Whiteouts act on lower layers only: all of a layer's are applied before any of its files. */
function hide(tree: Map<string, ReadEntry>, path: string): void {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const name = path.slice(folder.length);
  if (!name.startsWith(".wh.")) return;
  const hidden = name === ".wh..wh..opq" ? folder : `${folder}${name.slice(4)}`;
  for (const other of tree.keys()) {
    if (other === hidden || other.startsWith(hidden.replace(/\/?$/, "/"))) tree.delete(other);
  }
}

function add(tree: Map<string, ReadEntry>, file: ReadEntry): void {
  const path = latin1(file.entry.path);
  if (path.slice(path.lastIndexOf("/") + 1).startsWith(".wh.")) return;
  if (file.entry.type !== "hardlink") {
    tree.set(path, file);
    return;
  }
  const target = tree.get(latin1(file.entry.linkPath));
  if (target === undefined) throw new Error(`${path} links to a file that is not there`);
  tree.set(path, target);
}

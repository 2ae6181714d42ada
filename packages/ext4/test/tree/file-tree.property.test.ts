import { FileTree } from "@box/ext4";
import fc from "fast-check";
import { expect, test } from "vitest";
import { bytes, directory, file, text } from "./nodes.ts";

type Model = Map<string, { id: number; children?: Model }>;

/** A step: what to do, below which directory (an index into the model's directories), with which name. */
const step = fc.record({
  action: fc.constantFrom("file", "directory", "remove", "link", "clear"),
  at: fc.nat(20),
  name: fc.constantFrom("a", "b", "c", "__proto__", "é"),
  other: fc.nat(20),
});

function directoriesOf(model: Model, id: number, found: [number, Model][] = []): [number, Model][] {
  found.push([id, model]);
  for (const { id: child, children } of model.values()) {
    if (children !== undefined) directoriesOf(children, child, found);
  }
  return found;
}

function filesOf(model: Model): number[] {
  return [...model.values()].flatMap(({ id, children }) =>
    children === undefined ? [id] : filesOf(children),
  );
}

function shapeOf(tree: FileTree, node: number): unknown {
  return [...tree.children(node)]
    .map(({ name, node: id }): [string, unknown] => [
      text(name),
      tree.type(id) === "directory" ? shapeOf(tree, id) : id,
    ])
    .sort();
}

function modelShape(model: Model): unknown {
  return [...model]
    .map(([name, { id, children }]): [string, unknown] => [
      name,
      children === undefined ? id : modelShape(children),
    ])
    .sort();
}

test("any sequence of changes leaves the tree that a map of maps would hold", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const tree = new FileTree();
      const model: Model = new Map();
      for (const { action, at, name, other } of steps) {
        const directories = directoriesOf(model, tree.root);
        const [parent, entries] = directories[at % directories.length] as [number, Model];
        const files = filesOf(model);
        if (action === "file") {
          entries.set(name, { id: tree.add(parent, bytes(name), file) });
        } else if (action === "directory") {
          const id = tree.add(parent, bytes(name), directory);
          entries.set(name, { id, children: new Map() });
        } else if (action === "remove") {
          expect(tree.remove(parent, bytes(name))).toBe(entries.delete(name));
        } else if (action === "clear") {
          tree.clear(parent);
          entries.clear();
        } else if (files.length > 0) {
          const id = files[other % files.length] as number;
          tree.link(parent, bytes(name), id);
          entries.set(name, { id });
        }
      }
      expect(shapeOf(tree, tree.root)).toEqual(modelShape(model));
      const files = filesOf(model);
      const directories = directoriesOf(model, tree.root).length;
      expect(tree.nodeCount).toBe(directories + new Set(files).size);
      for (const id of files) {
        expect(tree.linkCount(id)).toBe(files.filter((known) => known === id).length);
      }
    }),
  );
});

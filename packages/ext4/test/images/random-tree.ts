import { FileTree, type NodeAttributes, type NodeId } from "@box/ext4";
import fc from "fast-check";
import { bytes, directory, file, symlink } from "../tree/nodes.ts";
import type { Contents } from "./build.ts";
import { pattern } from "./sample-tree.ts";

/** The last second that an inode can hold. */
const lastTime = 15_032_385_535;

const attributesWith = (isTime: (seconds: number) => boolean) =>
  fc.record({
    mode: fc.nat(0o7777),
    uid: fc.nat(0xffffffff),
    gid: fc.nat(0xffffffff),
    mtime: fc.record({
      seconds: fc.integer({ min: -(2 ** 31), max: lastTime }).filter(isTime),
      nanoseconds: fc.nat(999_999_999),
    }),
    xattrs: fc.uniqueArray(
      fc.record({
        name: fc
          .tuple(
            fc.constantFrom("user.", "trusted.", "security."),
            fc.stringMatching(/^[a-z]{1,9}$/),
          )
          .map(([prefix, suffix]) => bytes(prefix + suffix)),
        value: fc.oneof(
          fc.uint8Array({ maxLength: 40 }),
          fc.nat(6000).map((n) => pattern(n)),
        ),
      }),
      { maxLength: 4, selector: ({ name }) => String(name) },
    ),
  });
const stepWith = (isTime: (seconds: number) => boolean) =>
  fc.record({
    what: fc.constantFrom("file", "directory", "symlink", "char", "link", "sparse"),
    at: fc.nat(30),
    // Long names fill more than one block, which makes directories with an index.
    name: fc.oneof(
      fc.uint8Array({ min: 1, minLength: 1, maxLength: 30 }),
      fc.uint8Array({ min: 1, minLength: 200, maxLength: 255 }),
    ),
    size: fc.oneof(fc.nat(100), fc.nat(60_000)),
    attributes: attributesWith(isTime),
  });

/** A tree with the content of its files. */
export interface RandomTree {
  readonly tree: FileTree;
  readonly contents: Contents;
}

/**
 * Any tree of up to 40 nodes.
 *
 * @param isTime - Which seconds its files may have; all that an inode can hold unless given.
 */
export function randomTrees(
  isTime: (seconds: number) => boolean = () => true,
): fc.Arbitrary<RandomTree> {
  return fc.array(stepWith(isTime), { maxLength: 40 }).map(makeTree);
}

type Step = ReturnType<typeof stepWith> extends fc.Arbitrary<infer Value> ? Value : never;

function makeTree(steps: readonly Step[]): RandomTree {
  const tree = new FileTree();
  const directories = [tree.root];
  const files: number[] = [];
  const contents = new Map<NodeId, Uint8Array>();
  for (const { what, at, name, size, attributes: more } of steps) {
    const parent = directories[at % directories.length] as number;
    const isTaken = tree.lookup(parent, name) !== undefined;
    if (
      isTaken ||
      name.includes(0x2f) ||
      /^\.\.?$|^lost\+found$/.test(String.fromCharCode(...name))
    ) {
      continue;
    }
    const add = (base: NodeAttributes): number =>
      tree.add(parent, name, {
        ...base,
        ...more,
        ...(base.type === "symlink" ? { mode: 0o777 } : {}),
      });
    if (what === "directory") directories.push(add(directory));
    else if (what === "symlink") add(symlink("t".repeat(1 + (size % 4095))));
    else if (what === "char") {
      add({ ...file, type: "char", deviceMajor: size % 4096, deviceMinor: size * 17 });
    } else if (what === "link" && files.length > 0) {
      tree.link(parent, name, files[size % files.length] as number);
    } else {
      const node = add({ ...file, sizeBytes: size });
      const content = what === "sparse" ? new Uint8Array(size) : pattern(size, at);
      if (what === "sparse") tree.setFileData(node, size, []);
      contents.set(node, content);
      files.push(node);
    }
  }
  return { tree, contents };
}

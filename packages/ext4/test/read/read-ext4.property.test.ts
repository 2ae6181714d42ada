import { FileTree, type NodeAttributes, readExt4 } from "@box/ext4";
import { MemoryFile } from "@box/io";
import fc from "fast-check";
import { expect, test } from "vitest";
import { imageBytes } from "../images/build.ts";
import { pattern, sampleTree } from "../images/sample-tree.ts";
import { shapeOfImage, shapeOfTree } from "../images/tree-shape.ts";
import { bytes, directory, file, symlink } from "../tree/nodes.ts";

const attributes = fc.record({
  mode: fc.nat(0o7777),
  uid: fc.nat(0xffffffff),
  gid: fc.nat(0xffffffff),
  mtime: fc.record({
    seconds: fc.integer({ min: -(2 ** 31), max: 15_032_385_535 }),
    nanoseconds: fc.nat(999_999_999),
  }),
  xattrs: fc.uniqueArray(
    fc.record({
      name: fc
        .tuple(fc.constantFrom("user.", "trusted.", "security."), fc.stringMatching(/^[a-z]{1,9}$/))
        .map(([prefix, suffix]) => bytes(prefix + suffix)),
      value: fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.nat(6000).map((n) => pattern(n)),
      ),
    }),
    { maxLength: 4, selector: ({ name }) => String(name) },
  ),
});
const step = fc.record({
  what: fc.constantFrom("file", "directory", "symlink", "char", "link", "sparse"),
  at: fc.nat(30),
  name: fc.uint8Array({ min: 1, minLength: 1, maxLength: 30 }),
  size: fc.oneof(fc.nat(100), fc.nat(60_000)),
  attributes,
});

test("reading what was written gives back any tree", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const tree = new FileTree();
      const directories = [tree.root];
      const files: number[] = [];
      const contents = new Map<number, Uint8Array>();
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
      const image = await imageBytes(tree, { journal: false }, contents);
      const reader = await readExt4(new MemoryFile(image));
      expect(await shapeOfImage(reader, false)).toEqual(shapeOfTree(tree, contents));
    }),
    { numRuns: 30 },
  );
}, 60_000);

test("no change of an image without checksums does worse than an error with a code", async () => {
  const { tree, contents } = sampleTree();
  const sound = await imageBytes(tree, { journal: false }, contents);
  const view = new DataView(sound.buffer);
  view.setUint32(1024 + 0x64, view.getUint32(1024 + 0x64, true) & ~0x400, true);
  const table = view.getUint32(4096 + 8, true) * 4096;
  const used = 48 * 256;
  const metadata = table + 512 * 4096;
  const place = fc.oneof(
    fc.integer({ min: 1024, max: 2047 }),
    fc.integer({ min: 4096, max: 4096 + 63 }),
    fc.integer({ min: table, max: table + used }),
    fc.integer({ min: metadata, max: metadata + 100_000 }),
  );
  const change = fc.tuple(place, fc.nat(255));
  const source = {
    size: async () => sound.byteLength,
    read: async (offset: number, length: number) => sound.slice(offset, offset + length),
  };
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      const before = changes.map(([at]) => sound[at] as number);
      for (const [at, value] of changes) sound[at] = value;
      try {
        const reader = await readExt4(source, { maxFileBytes: 2 ** 17 });
        let left = 500;
        for await (const { inode, attributes: found } of reader.walk()) {
          if (--left === 0) break;
          if (found.type === "file" && found.sizeBytes < 2 ** 17) await reader.readFile(inode);
        }
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^EXT4_/) });
      }
      for (const [i, [at]] of [...changes.entries()].reverse()) sound[at] = before[i] as number;
    }),
    { numRuns: 100 },
  );
}, 60_000);

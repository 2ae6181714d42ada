import { readExt4 } from "@box/ext4";
import { MemoryFile } from "@box/io";
import fc from "fast-check";
import { expect, test } from "vitest";
import { imageBytes } from "../images/build.ts";
import { randomTrees } from "../images/random-tree.ts";
import { sampleTree } from "../images/sample-tree.ts";
import { shapeOfImage, shapeOfTree } from "../images/tree-shape.ts";

test("reading what was written gives back any tree", async () => {
  await fc.assert(
    fc.asyncProperty(randomTrees(), async ({ tree, contents }) => {
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

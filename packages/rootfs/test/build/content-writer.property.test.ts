import { MemoryFile, observeFile } from "@box/io";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ContentWriter } from "../../src/build/content-writer.ts";

const block = 4096;

/** Files of random content, some of it zeros, each at a place of its own in the image. */
const files = fc.array(
  fc.record({
    content: fc
      .array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 3 * block })), { maxLength: 5 })
      .map((parts) =>
        Buffer.concat(parts.map(([isZero, length]) => Buffer.alloc(length, isZero ? 0 : 7))),
      ),
    gapBlocks: fc.integer({ min: 0, max: 2 }),
    chunkBytes: fc.integer({ min: 1, max: 2 * block }),
    flushes: fc.boolean(),
  }),
  { maxLength: 6 },
);

describe("ContentWriter", () => {
  test("writes what it was given, and zeros nowhere else", async () => {
    await fc.assert(
      fc.asyncProperty(files, fc.boolean(), async (given, reverses) => {
        let end = 0;
        const placed = given.map((each) => {
          const imageOffset = end + each.gapBlocks * block;
          end = imageOffset + Math.ceil(each.content.byteLength / block) * block;
          return { ...each, imageOffset };
        });
        const expected = Buffer.alloc(end);
        for (const { content, imageOffset } of placed) expected.set(content, imageOffset);
        const sink = new MemoryFile(new Uint8Array(end));
        const writer = new ContentWriter(sink);
        for (const each of reverses ? placed.toReversed() : placed) {
          for (let at = 0; at < each.content.byteLength; at += each.chunkBytes) {
            const chunk = each.content.subarray(at, at + each.chunkBytes);
            // The writer may not keep a view of what it was given.
            const lent = Buffer.from(chunk);
            writer.add(each.imageOffset + at, lent);
            lent.fill(0xee);
          }
          if (each.flushes) await writer.flush();
        }
        await writer.finish();
        expect(Buffer.from(sink.toBytes()).equals(expected)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("never writes a block of zeros", async () => {
    const written: { offset: number; length: number }[] = [];
    const sink = observeFile(new MemoryFile(), ({ kind, offset, length }) => {
      if (kind === "write") written.push({ offset, length });
    });
    const writer = new ContentWriter(sink);
    const content = new Uint8Array(10 * block);
    content[3 * block] = 1;
    content[9 * block + 5] = 1;
    writer.add(2 * block, content);
    await writer.finish();
    expect(written).toEqual([
      { offset: 5 * block, length: block },
      { offset: 11 * block, length: block },
    ]);
    expect(writer.writtenBytes).toBe(2 * block);
  });

  test("puts small neighbours together into one write", async () => {
    let writes = 0;
    const sink = observeFile(new MemoryFile(), ({ kind }) => {
      if (kind === "write") writes += 1;
    });
    const writer = new ContentWriter(sink);
    for (let index = 0; index < 200; index++) writer.add(index * block, Buffer.from("small file"));
    await writer.finish();
    expect(writes).toBe(1);
  });

  test("leaves nothing of what a buffer held before in the gaps of what it holds next", async () => {
    const sink = new MemoryFile();
    const writer = new ContentWriter(sink);
    for (let round = 0; round < 6; round++) {
      // Three buffers' worth, so that buffers are used again.
      for (let index = 0; index < 400; index++) {
        const at = (round * 400 + index) * block;
        if (round % 2 === 0) writer.add(at, Buffer.alloc(2 * block, 0xee).subarray(block));
        else {
          writer.add(at, Buffer.from("start"));
          writer.add(at + 1000, Buffer.from("end"));
        }
      }
      await writer.flush();
    }
    await writer.finish();
    const bytes = Buffer.from(sink.toBytes());
    const expected = Buffer.alloc(block);
    expected.write("start", 0);
    expected.write("end", 1000);
    for (let index = 400; index < 800; index++) {
      const found = bytes.subarray(index * block, (index + 1) * block);
      expect(found.equals(expected.subarray(0, found.byteLength))).toBe(true);
    }
  });

  test("writes nothing for nothing", async () => {
    const sink = new MemoryFile();
    await new ContentWriter(sink).finish();
    expect(await sink.size()).toBe(0);
  });
});

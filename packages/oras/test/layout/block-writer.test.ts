import { MemoryFile, type OpenFile } from "@box/io";
import { describe, expect, test, vi } from "vitest";
import { BlockWriter } from "../../src/layout/block-writer.ts";
import { noise } from "../sample-image.ts";

const blockBytes = 512 * 1024;

/** A file whose writes wait until they are let go, or go at once. */
function slowFile(isSlow = false) {
  const memory = new MemoryFile();
  const sizes: number[] = [];
  const waiting: PromiseWithResolvers<void>[] = [];
  const file = {
    write: async (offset: number, bytes: Uint8Array) => {
      sizes.push(bytes.byteLength);
      const turn = Promise.withResolvers<void>();
      waiting.push(turn);
      if (!isSlow) turn.resolve();
      await turn.promise;
      await memory.write(offset, bytes);
    },
  } as unknown as OpenFile;
  const read = async (): Promise<Uint8Array> => memory.read(0, await memory.size());
  return { file, sizes, waiting, read };
}

function writerOf(file: OpenFile, offset = 0) {
  const seen: Uint8Array[] = [];
  const onBytes = (bytes: Uint8Array): void => void seen.push(bytes.slice());
  return { writer: new BlockWriter(file, { offset, onBytes }), seen };
}

describe("bytes are written", () => {
  test.each([1, 1000, 65_536, 700_000, 3_000_000])(
    "in order and in large blocks, from chunks of %i bytes",
    async (step) => {
      const content = noise(step === 1 ? 3000 : 2_500_000);
      const { file, sizes, read } = slowFile();
      const { writer, seen } = writerOf(file);
      for (let at = 0; at < content.byteLength; at += step) {
        const chunk = content.slice(at, at + step);
        await writer.add(chunk);
        // It is its owner's again.
        chunk.fill(0);
      }
      await writer.finish();
      expect(Buffer.compare(await read(), content)).toBe(0);
      expect(Buffer.compare(Buffer.concat(seen), content)).toBe(0);
      expect(sizes).toHaveLength(Math.ceil(content.byteLength / blockBytes));
    },
  );

  test("behind what is there", async () => {
    const { file, read } = slowFile();
    const { writer } = writerOf(file, 5);
    await writer.add(Buffer.from("abc"));
    await writer.finish();
    expect(await read()).toEqual(new Uint8Array([0, 0, 0, 0, 0, 97, 98, 99]));
  });

  test("while the next block fills, and no further ahead", async () => {
    const { file, sizes, waiting, read } = slowFile(true);
    const { writer } = writerOf(file);
    const content = noise(3 * blockBytes);
    const blocks = [0, 1, 2].map((at) => content.subarray(at * blockBytes, (at + 1) * blockBytes));
    for (const block of blocks.slice(0, 2)) await writer.add(block);
    let isTaken = false;
    const third = writer.add(blocks[2] as Uint8Array).then(() => {
      isTaken = true;
    });
    await vi.waitFor(() => expect(waiting).toHaveLength(1));
    expect(isTaken).toBe(false);
    waiting[0]?.resolve();
    await third;
    const finished = writer.finish();
    for (const index of [1, 2]) {
      await vi.waitFor(() => expect(waiting).toHaveLength(index + 1));
      waiting[index]?.resolve();
    }
    await finished;
    expect(sizes).toEqual([blockBytes, blockBytes, blockBytes]);
    expect(Buffer.compare(await read(), content)).toBe(0);
  });

  test("when no more come for a while, so that little is lost with the process", async () => {
    vi.useFakeTimers();
    try {
      const { file, sizes, read } = slowFile();
      const { writer } = writerOf(file);
      await writer.add(Buffer.from("abc"));
      expect(sizes).toEqual([]);
      await vi.advanceTimersByTimeAsync(60);
      await writer.add(Buffer.from("def"));
      await vi.advanceTimersByTimeAsync(60);
      expect(sizes).toEqual([]);
      await vi.advanceTimersByTimeAsync(60);
      expect(sizes).toEqual([6]);
      await writer.add(Buffer.from("g"));
      await writer.finish();
      expect(sizes).toEqual([6, 1]);
      expect(Buffer.from(await read()).toString()).toBe("abcdefg");
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

test("a write that fails is told by the next that waits for it, and nothing is written after it", async () => {
  const { file, waiting, sizes } = slowFile(true);
  const { writer } = writerOf(file);
  for (let count = 0; count < 2; count++) await writer.add(noise(blockBytes));
  const third = writer.add(noise(10));
  await vi.waitFor(() => expect(waiting).toHaveLength(1));
  waiting[0]?.reject(new Error("no space"));
  await expect(third).rejects.toThrow("no space");
  await expect(writer.finish()).rejects.toThrow("no space");
  expect(sizes).toHaveLength(1);
});

test("what nothing was added to writes nothing", async () => {
  const { file, sizes } = slowFile();
  await writerOf(file).writer.finish();
  expect(sizes).toEqual([]);
});

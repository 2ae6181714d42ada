import { BlobFile, MemoryFile, observeFile } from "@box/io";
import { describe, expect, test } from "vitest";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

describe("MemoryFile", () => {
  test("reads fewer bytes only where the file ends", async () => {
    const file = new MemoryFile(bytes("hello"));
    expect(text(await file.read(1, 3))).toBe("ell");
    expect(text(await file.read(3, 10))).toBe("lo");
    expect((await file.read(9, 4)).byteLength).toBe(0);
  });

  test("fills the given buffer and returns a view of it", async () => {
    const into = new Uint8Array(4);
    const read = await new MemoryFile(bytes("hello")).read(3, 4, into);
    expect(read.buffer).toBe(into.buffer);
    expect(text(read)).toBe("lo");
  });

  test("grows with zeros, cuts, and punches holes without changing its size", async () => {
    const file = new MemoryFile();
    await file.write(3, bytes("abc"));
    expect(file.toBytes()).toEqual(Uint8Array.of(0, 0, 0, 97, 98, 99));
    await file.punchHole(4, 100);
    expect(file.toBytes()).toEqual(Uint8Array.of(0, 0, 0, 97, 0, 0));
    await file.truncate(4);
    await file.truncate(6);
    expect(file.toBytes()).toEqual(Uint8Array.of(0, 0, 0, 97, 0, 0));
    await file.flush();
    expect(await file.size()).toBe(6);
  });

  test.each([
    ["bytes", bytes("abc")],
    ["a Node buffer", Buffer.from("abc")],
  ])("copies what it is made from (%s) and what it gives out", async (_kind, content) => {
    const file = new MemoryFile(content);
    content.fill(0);
    (await file.read(0, 3)).fill(0);
    expect(text(file.toBytes())).toBe("abc");
  });

  test("has an identity of its own", () => {
    expect(new MemoryFile().identity()).not.toBe(new MemoryFile().identity());
  });
});

describe("BlobFile", () => {
  test("reads a blob at offsets", async () => {
    const file = new BlobFile(new Blob(["hello"]));
    expect(await file.size()).toBe(5);
    expect(text(await file.read(1, 3))).toBe("ell");
    const into = new Uint8Array(8);
    expect(text(await file.read(3, 8, into))).toBe("lo");
  });
});

describe("observeFile", () => {
  test("tells each operation in order, before it happens, and fails it on request", async () => {
    const told: string[] = [];
    const inner = new MemoryFile();
    const file = observeFile(inner, ({ index, kind, offset, length, bytes: written }) => {
      told.push(`${index} ${kind} ${offset}+${length}${written ? ` ${text(written)}` : ""}`);
      if (kind === "flush") throw new Error("EIO");
    });
    await file.write?.(0, bytes("abc"));
    await file.read(1, 1);
    await file.truncate?.(2);
    await file.punchHole?.(0, 1);
    await file.size();
    await expect(file.flush?.()).rejects.toThrow("EIO");
    expect(told).toEqual([
      "1 write 0+3 abc",
      "2 read 1+1",
      "3 truncate 0+2",
      "4 punchHole 0+1",
      "5 size 0+0",
      "6 flush 0+0",
    ]);
    expect(file.identity?.()).toBe(inner.identity());
  });

  test("offers only what the file offers", () => {
    expect(observeFile(new BlobFile(new Blob([])), () => {}).write).toBeUndefined();
  });
});

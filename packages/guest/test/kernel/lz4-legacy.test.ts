import { expect, test } from "vitest";
import { decompressLz4Legacy } from "../../src/kernel/lz4-legacy.ts";

const block = (...bytes: number[]) => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, Buffer.from(bytes)]);
};
const stream = (...blocks: Buffer[]) => Buffer.concat([Buffer.from("02214c18", "hex"), ...blocks]);
const unpack = (input: Buffer, size: number) =>
  Buffer.from(decompressLz4Legacy(input, size)).toString("latin1");
const ascii = (text: string) => [...Buffer.from(text)];

test("literals alone", () => {
  expect(unpack(stream(block(0x30, ...ascii("abc"))), 3)).toBe("abc");
});

test("a match that overlaps itself repeats", () => {
  // Two literals, a match of 6 at distance 2, one literal.
  expect(unpack(stream(block(0x22, ...ascii("ab"), 2, 0, 0x10, ...ascii("c"))), 9)).toBe(
    "ababababc",
  );
});

test("a match that does not overlap is copied", () => {
  expect(unpack(stream(block(0x50, ...ascii("abcde"), 5, 0, 0x10, ...ascii("x"))), 10)).toBe(
    "abcdeabcdx",
  );
});

test("lengths of 15 and more go on in further bytes", () => {
  const literals = ascii("l".repeat(15 + 255 + 1));
  const input = stream(block(0xff, 255, 1, ...literals, 1, 0, 0, 0x10, ...ascii("e")));
  expect(unpack(input, 271 + 19 + 1)).toBe(`${"l".repeat(271 + 19)}e`);
});

test("blocks follow each other, also behind a second magic", () => {
  const input = Buffer.concat([stream(block(0x10, 97)), stream(block(0x10, 98), block(0x10, 99))]);
  expect(unpack(input, 3)).toBe("abc");
});

test.each([
  ["another magic", Buffer.from("04224d1800000000", "hex"), 1],
  ["nothing", Buffer.alloc(0), 1],
  ["a block that is cut", stream(block(0x10, 97)).subarray(0, -1), 1],
  ["less than was said", stream(block(0x10, 97)), 2],
  ["more than was said", stream(block(0x20, 97, 98)), 1],
  ["a match that makes more than was said", stream(block(0x1f, 97, 1, 0, 255, 0)), 10],
  ["a match at distance 0", stream(block(0x10, 97, 0, 0, 0x00)), 5],
  ["a match before the beginning", stream(block(0x10, 97, 2, 0, 0x00)), 5],
  ["a match into the block before", stream(block(0x10, 97), block(0x10, 98, 2, 0, 0x00)), 6],
  ["literals that are cut", stream(block(0x50, 97)), 5],
  ["a length that is cut", stream(block(0xf0, 255)), 300],
])("%s is refused as corrupt", (_, input, size) => {
  expect(() => decompressLz4Legacy(input, size)).toThrow(
    expect.objectContaining({ code: "GUEST_KERNEL_INVALID", kind: "corrupt" }),
  );
});

import { expect, test } from "vitest";
import { FrameReader, frameHeader } from "../../../src/qemu/link/frames.ts";

function frame(kind: Parameters<typeof frameHeader>[0], stream: number, text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([frameHeader(kind, stream, payload.byteLength), payload]);
}

test("frames are read as they were written, in whatever pieces they come", () => {
  const bytes = Buffer.concat([
    frame("message", 0, "{}"),
    frame("stdout", 7, "out"),
    frame("stderr", 4_294_967_295, ""),
    frame("stdin", 1, "in"),
  ]);
  for (const pieceBytes of [1, 5, 9, bytes.byteLength]) {
    const reader = new FrameReader();
    const found: unknown[] = [];
    for (let at = 0; at < bytes.byteLength; at += pieceBytes) {
      for (const { kind, stream, payload } of reader.push(bytes.subarray(at, at + pieceBytes))) {
        found.push([kind, stream, Buffer.from(payload).toString()]);
      }
    }
    expect(found).toEqual([
      ["message", 0, "{}"],
      ["stdout", 7, "out"],
      ["stderr", 4_294_967_295, ""],
      ["stdin", 1, "in"],
    ]);
  }
});

test.each([
  ["an unknown kind", Buffer.from([0, 0, 0, 0, 9, 0, 0, 0, 0])],
  ["more data than one may have", Buffer.from(frameHeader("stdout", 1, 64 * 1024 + 1))],
  ["a message without end", Buffer.from(frameHeader("message", 0, 8 * 1024 * 1024 + 1))],
])("%s is no frame, before its payload is awaited", (_, bytes) => {
  expect(() => [...new FrameReader().push(bytes)]).toThrow("no frame");
});

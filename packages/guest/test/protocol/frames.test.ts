import {
  encodeFrame,
  encodeHostMessage,
  FrameDecoder,
  hostFrameTypes,
  maxDataBytes,
  maxExecBytes,
} from "@box/guest/protocol";
import { expect, test } from "vitest";
import { bytesOf, hostVectors } from "../../fixtures/protocol/vectors.ts";

const whole = Buffer.concat(hostVectors.map(bytesOf));

test.each([1, 2, 3, 7, 8, 9, 10, 64, 1000])(
  "frames cut every %i bytes come out the same",
  (size) => {
    const decoder = new FrameDecoder("host");
    const frames: unknown[] = [];
    for (let at = 0; at < whole.length; at += size) {
      for (const { type, streamId, payload } of decoder.push(whole.subarray(at, at + size))) {
        frames.push({ type, streamId, payload: [...payload] });
      }
    }
    const expected = [...new FrameDecoder("host").push(whole)].map(
      ({ type, streamId, payload }) => ({
        type,
        streamId,
        payload: [...payload],
      }),
    );
    expect(frames).toEqual(expected);
    expect(frames).toHaveLength(hostVectors.length);
    expect(decoder.isBetweenFrames).toBe(true);
  },
);

test("an unfinished frame is told from the end of one", () => {
  const decoder = new FrameDecoder("host");
  expect([...decoder.push(whole.subarray(0, 12))]).toEqual([]);
  expect(decoder.isBetweenFrames).toBe(false);
});

test("a length is refused when its header is there, before any payload", () => {
  const decoder = new FrameDecoder("guest");
  const header = Uint8Array.of(1, 0, 1, 0, 102, 1, 0, 0, 0);
  expect(() => [...decoder.push(header)]).toThrow("65537 bytes, not 1 to 65536");
});

test("frames before a bad one are seen, nothing after it is", () => {
  const decoder = new FrameDecoder("host");
  const bytes = Buffer.concat([
    encodeHostMessage({ type: "eof", streamId: 1 }),
    Buffer.alloc(9, 0xee),
    encodeHostMessage({ type: "eof", streamId: 2 }),
  ]);
  const seen: number[] = [];
  const push = (chunk: Uint8Array) => {
    for (const { streamId } of decoder.push(chunk)) seen.push(streamId);
  };
  expect(() => push(bytes)).toThrow(expect.objectContaining({ code: "GUEST_PROTOCOL" }));
  expect(() => push(encodeHostMessage({ type: "eof", streamId: 3 }))).toThrow("no such type");
  expect(seen).toEqual([1]);
});

test("the largest payloads pass and one byte more is a limit", () => {
  const payload = new Uint8Array(maxDataBytes);
  const frame = { type: hostFrameTypes.data, streamId: 1, payload };
  const decoder = new FrameDecoder("host");
  expect([...decoder.push(encodeFrame("host", frame))]).toEqual([frame]);
  const larger = { ...frame, payload: new Uint8Array(maxDataBytes + 1) };
  expect(() => encodeFrame("host", larger)).toThrow(
    expect.objectContaining({ code: "GUEST_REQUEST_TOO_LARGE", kind: "limit" }),
  );
  const exec = {
    type: "exec",
    streamId: 1,
    target: "box",
    uid: 0,
    gid: 0,
    groups: [],
    workingDirectory: "/",
    places: [],
    environment: [],
  } as const;
  const fits = "x".repeat(maxExecBytes - 25);
  expect(encodeHostMessage({ ...exec, command: [fits] })).toHaveLength(9 + maxExecBytes);
  expect(() => encodeHostMessage({ ...exec, command: [`${fits}x`] })).toThrow(
    expect.objectContaining({ code: "GUEST_REQUEST_TOO_LARGE" }),
  );
});

test.each([
  ["a type of the other side", { type: 101, streamId: 0, payload: new Uint8Array(2) }],
  ["a stream where there is none", { type: 12, streamId: 1, payload: new Uint8Array(32) }],
  ["no stream where there is one", { type: 3, streamId: 0, payload: new Uint8Array(0) }],
  ["a stream id of 33 bits", { type: 3, streamId: 2 ** 32, payload: new Uint8Array(0) }],
  ["a payload that is too short", { type: 2, streamId: 1, payload: new Uint8Array(0) }],
])("does not send %s", (_, frame) => {
  expect(() => encodeFrame("host", frame)).toThrow(
    expect.objectContaining({ code: "GUEST_REQUEST_INVALID", kind: "invalid-argument" }),
  );
});

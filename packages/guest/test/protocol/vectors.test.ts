import {
  decodeGuestMessage,
  decodeHostMessage,
  encodeGuestMessage,
  encodeHostMessage,
  type Frame,
  FrameDecoder,
  guestFrameTypes,
  hostFrameTypes,
  type Sender,
} from "@box/guest/protocol";
import { describe, expect, test } from "vitest";
import {
  badHostVectors,
  bytesOf,
  guestVectors,
  hostVectors,
} from "../../fixtures/protocol/vectors.ts";

const title = ({ message }: { message: { type: string } }, index: number) =>
  [`${message.type} (${index})`, index] as const;

describe("messages of the host", () => {
  test.each(hostVectors.map(title))("%s has its bytes and comes back", (_, index) => {
    const vector = hostVectors[index];
    if (vector === undefined) throw new Error("no such vector");
    const bytes = bytesOf(vector);
    expect(Buffer.from(encodeHostMessage(vector.message)).toString("hex")).toBe(
      Buffer.from(bytes).toString("hex"),
    );
    expect(onlyFrame("host", bytes, decodeHostMessage)).toEqual(vector.message);
  });

  test.each(badHostVectors.map((vector) => [vector.title, vector] as const))(
    "refuses %s",
    (_, vector) => {
      const run = () => [...new FrameDecoder("host").push(bytesOf(vector))].map(decodeHostMessage);
      expect(run).toThrow(expect.objectContaining({ code: "GUEST_PROTOCOL", kind: "corrupt" }));
    },
  );

  test("every type has a vector", () => {
    const covered = new Set(hostVectors.map(({ message }) => message.type));
    expect([...covered].sort()).toEqual(Object.keys(hostFrameTypes).sort());
  });
});

describe("messages of the guest", () => {
  test.each(guestVectors.map(title))("%s has its bytes and comes back", (_, index) => {
    const vector = guestVectors[index];
    if (vector === undefined) throw new Error("no such vector");
    const bytes = bytesOf(vector);
    expect(Buffer.from(encodeGuestMessage(vector.message)).toString("hex")).toBe(
      Buffer.from(bytes).toString("hex"),
    );
    expect(onlyFrame("guest", bytes, decodeGuestMessage)).toEqual(vector.message);
  });

  test("every type has a vector too", () => {
    const covered = new Set<string>(guestVectors.map(({ message }) => message.type));
    expect([...covered].sort()).toEqual(Object.keys(guestFrameTypes).sort());
  });
});

function onlyFrame<T>(sender: Sender, bytes: Uint8Array, decode: (frame: Frame) => T): T {
  const decoder = new FrameDecoder(sender);
  const messages = [...decoder.push(bytes)].map(decode);
  expect(decoder.isBetweenFrames).toBe(true);
  expect(messages).toHaveLength(1);
  return messages[0] as T;
}

import { duplexPair } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import {
  decodeHostMessage,
  encodeGuestMessage,
  FrameDecoder,
  type GuestMessage,
  type HostMessage,
  initialCreditBytes,
  maxDataBytes,
} from "@box/guest/protocol";
import { describe, expect, test } from "vitest";
import { type GuestListener, GuestSession } from "../../../src/qemu/supervisor/guest-session.ts";

/** A stream of a guest that says whatever the test wants. */
async function startStream() {
  const [host, guest] = duplexPair();
  const session = new GuestSession(host);
  const heard: string[] = [];
  const streamIds: number[] = [];
  const listener: GuestListener = {
    begin: (streamId) => void streamIds.push(streamId),
    output: (channel, bytes) => void heard.push(`${channel} ${bytes.byteLength}`),
    end: (channel) => void heard.push(`end ${channel}`),
    credit: (bytes) => void heard.push(`credit ${bytes}`),
    closed: () => void heard.push("closed"),
    exit: ({ exitCode }) => void heard.push(`exit ${exitCode}`),
    lost: (error) => void heard.push(`lost: ${error.message}`),
    over: () => void heard.push("over"),
  };
  const told: HostMessage[] = [];
  const decoder = new FrameDecoder("host");
  guest.on("data", (chunk: Uint8Array) => {
    for (const frame of decoder.push(chunk)) told.push(decodeHostMessage(frame));
  });
  const say = async (message: GuestMessage) => {
    guest.write(encodeGuestMessage(message));
    await turn();
    await turn();
  };
  const started = session.open({ type: "connect", port: 7 }, listener);
  const [streamId = 0] = streamIds;
  await say({ type: "started", streamId, pid: 7 });
  await started;
  const out = (length: number, channel: "out" | "err" = "out") =>
    say({ type: channel, streamId, bytes: new Uint8Array(length) });
  return { session, heard, say, out, streamId };
}

describe("a guest", () => {
  test("sends as much output as it has credit for, on each of both", async () => {
    const { session, heard, out, streamId } = await startStream();
    await out(initialCreditBytes);
    await out(initialCreditBytes, "err");
    session.tell({ type: "credit", streamId, channel: "out", bytes: 10 });
    await out(10);
    expect(heard).toEqual([`out ${initialCreditBytes}`, `err ${initialCreditBytes}`, "out 10"]);
  });

  test.each(["out", "err"] as const)(
    "that sends a byte more of %s is not heard any more",
    async (channel) => {
      const { session, heard, out, streamId } = await startStream();
      await out(initialCreditBytes, channel);
      session.tell({ type: "credit", streamId, channel, bytes: 9 });
      await out(10, channel);
      expect(heard).toEqual([
        `${channel} ${initialCreditBytes}`,
        expect.stringContaining("more output than it may send"),
        "over",
      ]);
      await expect(session.ping()).rejects.toMatchObject({ code: "VM_GUEST_PROTOCOL" });
    },
  );

  test("gives credit for what it was sent", async () => {
    const { session, heard, say, streamId } = await startStream();
    session.tell({ type: "data", streamId, bytes: new Uint8Array(maxDataBytes) });
    await say({ type: "credit", streamId, bytes: maxDataBytes - 1 });
    await say({ type: "credit", streamId, bytes: 1 });
    expect(heard).toEqual([`credit ${maxDataBytes - 1}`, "credit 1"]);
    await say({ type: "credit", streamId, bytes: 1 });
    expect(heard.slice(2)).toEqual([
      expect.stringContaining("more input than it was sent"),
      "over",
    ]);
  });

  test("ends its input once", async () => {
    const { heard, say, streamId } = await startStream();
    await say({ type: "closed", streamId });
    await say({ type: "closed", streamId });
    expect(heard).toEqual(["closed", expect.stringContaining("an input that has ended"), "over"]);
  });
});

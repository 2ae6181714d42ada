import {
  decodeGuestMessage,
  encodeGuestMessage,
  encodeHostMessage,
  FrameDecoder,
  type GuestMessage,
  type HostMessage,
  linuxSignalName,
  linuxSignals,
} from "@box/guest/protocol";
import { describe, expect, test } from "vitest";

const exec: HostMessage = {
  type: "exec",
  streamId: 1,
  target: "box",
  uid: 0,
  gid: 0,
  groups: [],
  workingDirectory: "/",
  command: ["true"],
  environment: [],
};
const hello: HostMessage = { type: "hello", minVersion: 1, maxVersion: 1, graceMs: 0, nonce: 0n };

describe("encodeHostMessage", () => {
  test.each<[string, HostMessage]>([
    ["a NUL in an argument", { ...exec, command: ["a\0b"] }],
    ["no program", { ...exec, command: [] }],
    ["a relative folder", { ...exec, workingDirectory: "tmp" }],
    ["an environment entry without a name", { ...exec, environment: ["=x"] }],
    ["an environment entry without a value", { ...exec, environment: ["x"] }],
    ["a terminal of 65536 lines", { ...exec, terminal: { rows: 65536, columns: 1 } }],
    ["a third target", { ...exec, target: "host" as "box" }],
    ["calls in a fourth target", { type: "calls", streamId: 1, target: "host" as "box" }],
    ["signal 0", { type: "signal", streamId: 1, signal: 0 }],
    ["signal 65", { type: "signal", streamId: 1, signal: 65 }],
    ["port 0", { type: "connect", streamId: 1, port: 0 }],
    ["port 65536", { type: "connect", streamId: 1, port: 65536 }],
    ["no credit", { type: "credit", streamId: 1, channel: "out", bytes: 0 }],
    ["half a byte of credit", { type: "credit", streamId: 1, channel: "out", bytes: 1.5 }],
    ["versions in the wrong order", { ...hello, minVersion: 2 }],
    ["a nonce of 65 bits", { ...hello, nonce: 2n ** 64n }],
  ])("refuses %s", (_, message) => {
    expect(() => encodeHostMessage(message)).toThrow(
      expect.objectContaining({ code: "GUEST_REQUEST_INVALID" }),
    );
  });
});

describe("reports", () => {
  const report = {
    version: 1,
    agent: "box-agent 1",
    nonce: 0xfedcba9876543210n,
    kernel: '6.1 "x"',
    stagesMs: { modules: 12, port: 15 },
  };

  test("ready comes back", () => {
    expect(roundTrip({ type: "ready", report })).toEqual({ type: "ready", report });
  });

  test.each([
    ["no JSON", "{"],
    ["a list", "[]"],
    ["nothing", "null"],
    ["a field that is missing", '{"version":1}'],
    ["a nonce in capitals", readyText({ nonce: "FEDCBA9876543210" })],
    ["a version that is text", readyText({ version: "1" })],
    ["a text without end", readyText({ agent: "a".repeat(257) })],
    ["a negative time", readyText({ stagesMs: { modules: -1 } })],
    [
      "a hundred stages",
      readyText({
        stagesMs: Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`${i}`, 1])),
      }),
    ],
  ])("ready is refused with %s", (_, text) => {
    const payload = new TextEncoder().encode(text);
    expect(() => decodeGuestMessage({ type: 101, streamId: 0, payload })).toThrow(
      expect.objectContaining({ code: "GUEST_PROTOCOL" }),
    );
  });

  function readyText(change: object): string {
    return JSON.stringify({ ...report, nonce: "fedcba9876543210", ...change });
  }
});

test.each([
  ["a failure that is not known", 105, [99, 0, 0, 0, 0, 0]],
  ["failure 0", 105, [0, 0, 0, 0, 0, 0]],
  ["a third channel", 109, [2]],
  ["a credit of 0", 108, [0, 0, 0, 0]],
])("the guest's %s is refused", (_, type, bytes) => {
  expect(() => decodeGuestMessage({ type, streamId: 1, payload: Uint8Array.from(bytes) })).toThrow(
    expect.objectContaining({ code: "GUEST_PROTOCOL" }),
  );
});

test("a failure's text that is no UTF-8 is shown, not refused", () => {
  const payload = Uint8Array.of(7, 0, 2, 0, 0, 0, 0xff, 0x41);
  expect(decodeGuestMessage({ type: 105, streamId: 1, payload })).toMatchObject({
    message: "\ufffdA",
  });
});

test("signals have the numbers of Linux", () => {
  const { SIGHUP, SIGKILL, SIGTERM, SIGCHLD, SIGWINCH, SIGSYS } = linuxSignals;
  expect([SIGHUP, SIGKILL, SIGTERM, SIGCHLD, SIGWINCH, SIGSYS]).toEqual([1, 9, 15, 17, 28, 31]);
  expect(linuxSignalName(9)).toBe("SIGKILL");
  expect(linuxSignalName(34)).toBe("SIG34");
});

function roundTrip(message: GuestMessage): GuestMessage {
  const [frame] = new FrameDecoder("guest").push(encodeGuestMessage(message));
  if (frame === undefined) throw new Error("no frame");
  return decodeGuestMessage(frame);
}

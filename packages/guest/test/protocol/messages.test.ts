import {
  decodeGuestMessage,
  encodeHostMessage,
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
  places: ["/bin/true"],
  command: ["true"],
  environment: [],
};
const hello: HostMessage = { type: "hello", minVersion: 1, maxVersion: 1, graceMs: 0, nonce: 0n };

describe("encodeHostMessage", () => {
  test.each<[string, HostMessage]>([
    ["a NUL in a place", { ...exec, places: ["/a\0b"] }],
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

test.each([
  ["a step that is not known", 105, [21, 0, 0, 0, 0, 0, 0, 0]],
  ["step 0", 105, [0, 0, 0, 0, 0, 0, 0, 0]],
  ["a third channel", 109, [2]],
  ["a credit of 0", 108, [0, 0, 0, 0]],
])("the guest's %s is refused", (_, type, bytes) => {
  expect(() => decodeGuestMessage({ type, streamId: 1, payload: Uint8Array.from(bytes) })).toThrow(
    expect.objectContaining({ code: "GUEST_PROTOCOL" }),
  );
});

test("signals have the numbers of Linux", () => {
  const { SIGHUP, SIGKILL, SIGTERM, SIGCHLD, SIGWINCH, SIGSYS } = linuxSignals;
  expect([SIGHUP, SIGKILL, SIGTERM, SIGCHLD, SIGWINCH, SIGSYS]).toEqual([1, 9, 15, 17, 28, 31]);
  expect(linuxSignalName(9)).toBe("SIGKILL");
  expect(linuxSignalName(34)).toBe("SIG34");
});

import { agentSteps, type FailedStep } from "./agent-failures.ts";
import { guestFrameTypes as types } from "./frame-types.ts";
import { encodeFrame, type Frame } from "./frames.ts";
import { PayloadReader } from "./payload-reader.ts";
import { invalid, PayloadWriter } from "./payload-writer.ts";

/** What the agent tells the host. */
export type GuestMessage =
  /** Answers `hello`. */
  | {
      readonly type: "ready";
      /** Version of the protocol that both sides speak. */
      readonly version: number;
      /** What `hello` carried. */
      readonly nonce: bigint;
    }
  /** Answers `exec`, `calls` and `connect`: it runs. `pid` is 0 when there is no process. */
  | { readonly type: "started"; readonly streamId: number; readonly pid: number }
  /** Bytes of an output; uses up credit. A view of what the decoder was given. */
  | { readonly type: "out" | "err"; readonly streamId: number; readonly bytes: Uint8Array }
  /** No more bytes of that output. Both outputs of each started stream end once. */
  | { readonly type: "end"; readonly streamId: number; readonly channel: "out" | "err" }
  /** How what was started ended, once; may come before the ends of its outputs. `signal` is 0 when none did it. */
  | {
      readonly type: "exit";
      readonly streamId: number;
      readonly exitCode: number;
      readonly signal: number;
    }
  /** Refuses or breaks off a stream, which is over; on stream 0 all streams are. */
  | (FailedStep & { readonly type: "fail"; readonly streamId: number })
  | { readonly type: "pong"; readonly streamId: number; readonly bytes: Uint8Array }
  /** Nobody reads the input of a stream any more: data is thrown away. */
  | { readonly type: "closed"; readonly streamId: number }
  /** The guest takes so many bytes more of `data`. */
  | { readonly type: "credit"; readonly streamId: number; readonly bytes: number };

/**
 * Serializes a message of the guest as one frame; for tests and simulations.
 *
 * @throws GuestError `GUEST_REQUEST_INVALID`, `GUEST_REQUEST_TOO_LARGE`.
 */
export function encodeGuestMessage(message: GuestMessage): Uint8Array {
  const streamId = message.type === "ready" ? 0 : message.streamId;
  return encodeFrame("guest", { type: types[message.type], streamId, payload: payloadOf(message) });
}

/**
 * Parses a frame of the guest, which is hostile.
 *
 * @throws GuestError `GUEST_PROTOCOL`.
 */
export function decodeGuestMessage(frame: Frame): GuestMessage {
  const { type, streamId, payload } = frame;
  const name = (Object.keys(types) as GuestMessage["type"][]).find((key) => types[key] === type);
  const reader = new PayloadReader(payload, `the guest's message ${name ?? type}`);
  if (name === undefined) return reader.fail("there is no such message");
  const message = readMessage(name, streamId, reader);
  reader.end();
  return message;
}

function payloadOf(message: GuestMessage): Uint8Array {
  const writer = new PayloadWriter();
  switch (message.type) {
    case "ready":
      return writer.u16(message.version, "version").u64(message.nonce, "nonce").finish();
    case "started":
      return writer.u32(message.pid, "pid").finish();
    case "out":
    case "err":
    case "pong":
      return message.bytes;
    case "end":
      return writer.u8(message.channel === "out" ? 0 : 1, "channel").finish();
    case "exit":
      return writer.u8(message.exitCode, "exitCode").u8(message.signal, "signal").finish();
    case "fail":
      return writer
        .u16(agentSteps.indexOf(message.step) + 1, "step")
        .u16(message.place, "place")
        .u32(message.errno, "errno")
        .finish();
    case "closed":
      return writer.finish();
    case "credit":
      if (message.bytes < 1) throw invalid("bytes", "at least 1");
      return writer.u32(message.bytes, "bytes").finish();
  }
}

function readMessage(
  name: GuestMessage["type"],
  streamId: number,
  reader: PayloadReader,
): GuestMessage {
  switch (name) {
    case "ready":
      return { type: name, version: reader.u16(), nonce: reader.u64() };
    case "started":
      return { type: name, streamId, pid: reader.u32() };
    case "out":
    case "err":
    case "pong":
      return { type: name, streamId, bytes: reader.rest() };
    case "end": {
      const channel = reader.u8();
      if (channel > 1) reader.fail("there is no such channel");
      return { type: name, streamId, channel: channel === 0 ? "out" : "err" };
    }
    case "exit":
      return { type: name, streamId, exitCode: reader.u8(), signal: reader.u8() };
    case "fail": {
      const step = agentSteps[reader.u16() - 1];
      if (step === undefined) return reader.fail("its step is not known");
      return { type: name, streamId, step, place: reader.u16(), errno: reader.u32() };
    }
    case "closed":
      return { type: name, streamId };
    case "credit": {
      const bytes = reader.u32();
      if (bytes === 0) reader.fail("it gives no credit");
      return { type: name, streamId, bytes };
    }
  }
}

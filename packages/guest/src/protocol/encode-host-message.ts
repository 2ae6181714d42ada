import { hostFrameTypes as types } from "./frame-types.ts";
import { encodeFrame } from "./frames.ts";
import { agentTargets, type ExecMessage, type HostMessage, helloMagic } from "./host-messages.ts";
import { invalid, PayloadWriter } from "./payload-writer.ts";

/**
 * Serializes a message of the host as one frame.
 *
 * @throws GuestError `GUEST_REQUEST_INVALID`, `GUEST_REQUEST_TOO_LARGE`.
 */
export function encodeHostMessage(message: HostMessage): Uint8Array {
  const streamId = message.type === "hello" ? 0 : message.streamId;
  return encodeFrame("host", { type: types[message.type], streamId, payload: payloadOf(message) });
}

function payloadOf(message: HostMessage): Uint8Array {
  const writer = new PayloadWriter();
  switch (message.type) {
    case "hello":
      if (message.minVersion > message.maxVersion) throw invalid("minVersion", "<= maxVersion");
      return writer
        .rest(helloMagic)
        .u16(message.minVersion, "minVersion")
        .u16(message.maxVersion, "maxVersion")
        .u32(message.graceMs, "graceMs")
        .u64(message.nonce, "nonce")
        .finish();
    case "exec":
      return execPayload(message);
    case "calls":
      return writer.u8(agentTargets.indexOf(message.target), "target").finish();
    case "connect":
      return writer.u16(atLeastOne(message.port, "port"), "port").finish();
    case "data":
    case "ping":
      return message.bytes;
    case "signal":
      if (message.signal < 1 || message.signal > 64) throw invalid("signal", "1 to 64");
      return writer.u8(message.signal, "signal").finish();
    case "resize":
      return writer.u16(message.rows, "rows").u16(message.columns, "columns").finish();
    case "credit":
      return writer
        .u8(message.channel === "out" ? 0 : 1, "channel")
        .u32(atLeastOne(message.bytes, "bytes"), "bytes")
        .finish();
    case "shutdown":
      return writer.u32(message.graceMs, "graceMs").finish();
    case "eof":
    case "cancel":
      return writer.finish();
  }
}

function execPayload(message: ExecMessage): Uint8Array {
  const { terminal, places, command, environment, groups, workingDirectory } = message;
  if (message.target === "agent") throw invalid("target", "box or guest");
  if (command.length === 0) throw invalid("command", "at least the program");
  if (workingDirectory !== "") absolute(workingDirectory, "workingDirectory");
  for (const entry of environment) {
    if (entry.indexOf("=") < 1) throw invalid("environment", "NAME=VALUE");
  }
  const writer = new PayloadWriter()
    .u8(agentTargets.indexOf(message.target), "target")
    .u8(Number(terminal !== undefined), "flags")
    .u16(terminal?.rows ?? 0, "terminal.rows")
    .u16(terminal?.columns ?? 0, "terminal.columns")
    .u32(message.uid, "uid")
    .u32(message.gid, "gid")
    .u16(groups.length, "groups.length")
    .u16(places.length, "places.length")
    .u16(command.length, "command.length")
    .u16(environment.length, "environment.length");
  for (const group of groups) writer.u32(group, "groups");
  return writer
    .text(workingDirectory, "workingDirectory")
    .texts(places, "places")
    .texts(command, "command")
    .texts(environment, "environment")
    .finish();
}

function absolute(path: string, name: string): string {
  if (!path.startsWith("/")) throw invalid(name, "absolute");
  return path;
}

function atLeastOne(value: number, name: string): number {
  if (value < 1) throw invalid(name, "at least 1");
  return value;
}

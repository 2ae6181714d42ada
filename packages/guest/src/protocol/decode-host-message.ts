import { hostFrameTypes as types } from "./frame-types.ts";
import type { Frame } from "./frames.ts";
import {
  type AgentTarget,
  agentTargets,
  type ExecMessage,
  type HostMessage,
  helloMagic,
} from "./host-messages.ts";
import { PayloadReader } from "./payload-reader.ts";

/**
 * Parses a frame of the host, as the agent does; for tests and simulations.
 *
 * @throws GuestError `GUEST_PROTOCOL`.
 */
export function decodeHostMessage(frame: Frame): HostMessage {
  const { type, streamId, payload } = frame;
  const name = (Object.keys(types) as HostMessage["type"][]).find((key) => types[key] === type);
  const reader = new PayloadReader(payload, `the host's message ${name ?? type}`);
  if (name === undefined) return reader.fail("there is no such message");
  const message = readMessage(name, streamId, reader);
  reader.end();
  return message;
}

function readMessage(
  name: HostMessage["type"],
  streamId: number,
  reader: PayloadReader,
): HostMessage {
  switch (name) {
    case "hello": {
      const magic = new TextDecoder().decode(reader.bytes(helloMagic.length));
      if (magic !== helloMagic) reader.fail("it does not begin as it must");
      const [minVersion, maxVersion] = [reader.u16(), reader.u16()];
      if (minVersion > maxVersion) reader.fail("its versions are in the wrong order");
      return { type: name, minVersion, maxVersion, graceMs: reader.u32(), nonce: reader.u64() };
    }
    case "exec":
      return readExec(streamId, reader);
    case "calls":
      return { type: name, streamId, target: readTarget(reader) };
    case "connect":
      return { type: name, streamId, port: readAtLeastOne(reader, reader.u16()) };
    case "data":
    case "ping":
      return { type: name, streamId, bytes: reader.rest() };
    case "signal": {
      const signal = readAtLeastOne(reader, reader.u8());
      if (signal > 64) reader.fail("there is no such signal");
      return { type: name, streamId, signal };
    }
    case "resize":
      return { type: name, streamId, rows: reader.u16(), columns: reader.u16() };
    case "credit": {
      const channel = reader.u8();
      if (channel > 1) reader.fail("there is no such channel");
      const bytes = readAtLeastOne(reader, reader.u32());
      return { type: name, streamId, channel: channel === 0 ? "out" : "err", bytes };
    }
    case "shutdown":
      return { type: name, streamId, graceMs: reader.u32() };
    case "eof":
    case "cancel":
      return { type: name, streamId };
  }
}

function readExec(streamId: number, reader: PayloadReader): ExecMessage {
  const target = readTarget(reader);
  if (target === "agent") return reader.fail("commands cannot run there");
  const flags = readFlags(reader, 1);
  const [rows, columns] = [reader.u16(), reader.u16()];
  const [uid, gid] = [reader.u32(), reader.u32()];
  const [groupCount, placeCount] = [reader.u16(), reader.u16()];
  const [commandCount, environmentCount] = [reader.u16(), reader.u16()];
  if (commandCount === 0) reader.fail("there is no program");
  const groups = Array.from({ length: groupCount }, () => reader.u32());
  const workingDirectory = reader.text();
  if (!/^(\/|$)/.test(workingDirectory)) reader.fail("its folder is not absolute");
  return {
    type: "exec",
    streamId,
    target,
    ...((flags & 1) === 0 ? {} : { terminal: { rows, columns } }),
    uid,
    gid,
    groups,
    workingDirectory,
    places: reader.texts(placeCount),
    command: reader.texts(commandCount),
    environment: reader.texts(environmentCount),
  };
}

function readTarget(reader: PayloadReader): AgentTarget {
  return agentTargets[reader.u8()] ?? reader.fail("there is no such target");
}

function readFlags(reader: PayloadReader, known: number): number {
  const flags = reader.u8();
  if ((flags & ~known) !== 0) reader.fail("it has flags that are not known");
  return flags;
}

function readAtLeastOne(reader: PayloadReader, value: number): number {
  return value > 0 ? value : reader.fail("a number is zero");
}

/** Which side of the connection sends a frame. */
export type Sender = "host" | "guest";

/** The version of the agent protocol that this codec speaks. */
export const protocolVersion = 5;

/** Bytes before a frame's payload: `u32le payloadLength, u8 type, u32le streamId`. */
export const frameHeaderBytes = 9;

/** Most payload of a frame that carries a stream's bytes. */
export const maxDataBytes: number = 64 * 1024;

/** Most payload of an EXEC frame: its arguments and environment together. */
export const maxExecBytes: number = 512 * 1024;

/** Bytes that may be sent in each direction of a new stream before the first CREDIT. */
export const initialCreditBytes: number = 64 * 1024;

/** Most credit that may be outstanding in one direction of a stream. */
export const maxCreditBytes: number = 1024 * 1024 * 1024;

/** The numbers of frames that the host sends. */
export const hostFrameTypes = {
  exec: 1,
  data: 2,
  eof: 3,
  signal: 4,
  resize: 5,
  ping: 6,
  shutdown: 7,
  calls: 8,
  connect: 10,
  hello: 12,
  credit: 13,
  cancel: 14,
} as const;

/** The numbers of frames that the guest sends. */
export const guestFrameTypes = {
  ready: 101,
  out: 102,
  err: 103,
  exit: 104,
  fail: 105,
  pong: 106,
  closed: 107,
  credit: 108,
  end: 109,
  started: 110,
} as const;

/** What a frame's payload and stream id may be. */
export interface FrameRule {
  /** Least payload in bytes. */
  readonly least: number;
  /** Most payload in bytes. */
  readonly most: number;
  /** `session`: stream 0; `stream`: any other; `any`: both. */
  readonly stream: "session" | "stream" | "any";
}

const exactly = (bytes: number): FrameRule => ({ least: bytes, most: bytes, stream: "stream" });
const within = (least: number, most: number): FrameRule => ({ least, most, stream: "stream" });

const host = hostFrameTypes;
const guest = guestFrameTypes;

/** The rule of each type, by sender; a type that is not in here does not exist. */
export const frameRules: Readonly<Record<Sender, ReadonlyMap<number, FrameRule>>> = {
  host: new Map([
    [host.exec, within(24, maxExecBytes)],
    [host.data, within(1, maxDataBytes)],
    [host.eof, exactly(0)],
    [host.signal, exactly(1)],
    [host.resize, exactly(4)],
    [host.ping, within(0, 64)],
    [host.shutdown, exactly(4)],
    [host.calls, exactly(1)],
    [host.connect, exactly(2)],
    [host.hello, { least: 32, most: 32, stream: "session" }],
    [host.credit, exactly(5)],
    [host.cancel, exactly(0)],
  ]),
  guest: new Map([
    [guest.ready, { least: 10, most: 10, stream: "session" }],
    [guest.out, within(1, maxDataBytes)],
    [guest.err, within(1, maxDataBytes)],
    [guest.exit, exactly(2)],
    [guest.fail, { least: 8, most: 8, stream: "any" }],
    [guest.pong, within(0, 64)],
    [guest.closed, exactly(0)],
    [guest.credit, exactly(4)],
    [guest.end, exactly(1)],
    [guest.started, exactly(4)],
  ]),
};

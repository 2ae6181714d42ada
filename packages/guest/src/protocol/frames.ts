import { GuestError } from "../errors.ts";
import { frameHeaderBytes, frameRules, type Sender } from "./frame-types.ts";

/** One frame. */
export interface Frame {
  /** Its type, one that its sender may send. */
  readonly type: number;
  /** The stream that it belongs to; 0 is the session itself. */
  readonly streamId: number;
  /** What it carries. A decoder gives a view of the bytes that were pushed where it can: copy what is to be kept. */
  readonly payload: Uint8Array;
}

/**
 * Serializes a frame.
 *
 * @throws GuestError `GUEST_REQUEST_INVALID`, `GUEST_REQUEST_TOO_LARGE`.
 */
export function encodeFrame(sender: Sender, { type, streamId, payload }: Frame): Uint8Array {
  const rule = frameRules[sender].get(type);
  const fault = rule === undefined ? "its type is unknown" : streamFault(rule.stream, streamId);
  if (rule === undefined || fault !== undefined || payload.length < rule.least) {
    throw new GuestError({
      code: "GUEST_REQUEST_INVALID",
      message: `a frame of type ${type} cannot be sent: ${fault ?? "its payload is too short"}`,
      details: { type, streamId, payloadBytes: payload.length },
    });
  }
  if (payload.length > rule.most) {
    throw new GuestError({
      code: "GUEST_REQUEST_TOO_LARGE",
      message: `a frame of type ${type} has ${payload.length} bytes, more than ${rule.most}`,
      details: { type, payloadBytes: payload.length, maxBytes: rule.most },
      hint: "shorten the command line and the environment",
    });
  }
  const bytes = new Uint8Array(frameHeaderBytes + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, payload.length, true);
  view.setUint8(4, type);
  view.setUint32(5, streamId, true);
  bytes.set(payload, frameHeaderBytes);
  return bytes;
}

/**
 * Cuts a byte stream into frames.
 *
 * Holds at most one unfinished frame. A header is judged before its payload is awaited: nothing is allocated for a length that
 * the type may not have. After the first failure every push fails: where the next frame would begin is unknown.
 */
export class FrameDecoder {
  readonly #sender: Sender;
  readonly #header = new Uint8Array(frameHeaderBytes);
  readonly #headerView = new DataView(this.#header.buffer);
  #headerLength = 0;
  #payload: Uint8Array | undefined;
  #payloadLength = 0;
  #failure: GuestError | undefined;

  /** @param sender - Whose frames the bytes are. */
  constructor(sender: Sender) {
    this.#sender = sender;
  }

  /** Whether nothing of an unfinished frame is held: only here may a connection end. */
  get isBetweenFrames(): boolean {
    return this.#headerLength === 0;
  }

  /**
   * Takes the next bytes, cut anywhere.
   *
   * @returns The frames that are whole now, in order, so that frames before a bad one are seen. Iterate to the end: the rest of the
   *   chunk is lost otherwise.
   * @throws GuestError `GUEST_PROTOCOL`.
   */
  *push(chunk: Uint8Array): Generator<Frame, void, undefined> {
    let at = 0;
    while (at < chunk.length || this.#isWhole()) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#headerLength < frameHeaderBytes) {
        const taken = Math.min(frameHeaderBytes - this.#headerLength, chunk.length - at);
        this.#header.set(chunk.subarray(at, at + taken), this.#headerLength);
        this.#headerLength += taken;
        at += taken;
        if (this.#headerLength === frameHeaderBytes) this.#judgeHeader();
        continue;
      }
      const length = this.#headerView.getUint32(0, true);
      const wanted = length - this.#payloadLength;
      const part = chunk.subarray(at, at + wanted);
      at += part.length;
      if (this.#payload === undefined && part.length === length) {
        yield this.#finish(part);
        continue;
      }
      this.#payload ??= new Uint8Array(length);
      this.#payload.set(part, this.#payloadLength);
      this.#payloadLength += part.length;
      if (this.#payloadLength === length) yield this.#finish(this.#payload);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Whether a frame without payload waits to be given out. */
  #isWhole(): boolean {
    return this.#headerLength === frameHeaderBytes && this.#headerView.getUint32(0, true) === 0;
  }

  #finish(payload: Uint8Array): Frame {
    this.#headerLength = 0;
    this.#payload = undefined;
    this.#payloadLength = 0;
    return {
      type: this.#header[4] ?? 0,
      streamId: this.#headerView.getUint32(5, true),
      payload,
    };
  }

  #judgeHeader(): void {
    const length = this.#headerView.getUint32(0, true);
    const type = this.#header[4] ?? 0;
    const streamId = this.#headerView.getUint32(5, true);
    const rule = frameRules[this.#sender].get(type);
    if (rule === undefined) throw this.#failed("there is no such type", { type });
    if (length < rule.least || length > rule.most) {
      const range = `${rule.least} to ${rule.most}`;
      throw this.#failed(`type ${type} has ${length} bytes, not ${range}`, { type, length });
    }
    const fault = streamFault(rule.stream, streamId);
    if (fault !== undefined) throw this.#failed(`type ${type}: ${fault}`, { type, streamId });
  }

  #failed(what: string, details: Readonly<Record<string, unknown>>): GuestError {
    this.#failure = protocolError(`the ${this.#sender} sent what is no frame: ${what}`, details);
    return this.#failure;
  }
}

/** A failure to understand the other side. */
export function protocolError(
  message: string,
  details?: Readonly<Record<string, unknown>>,
): GuestError {
  return new GuestError({
    code: "GUEST_PROTOCOL",
    message,
    ...(details === undefined ? {} : { details }),
    hint: "what runs in the machine is not the agent of box, or not of this version: start it again",
  });
}

function streamFault(rule: "session" | "stream" | "any", streamId: number): string | undefined {
  if (!Number.isInteger(streamId) || streamId < 0 || streamId > 0xffff_ffff) {
    return "its stream id is none";
  }
  if (rule === "session" && streamId !== 0) return "it belongs to no stream";
  if (rule === "stream" && streamId === 0) return "it needs a stream";
  return undefined;
}

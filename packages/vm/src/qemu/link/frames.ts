/** What a frame between a handle and the supervisor of its machine carries. */
export type FrameKind = "message" | "stdin" | "stdout" | "stderr";

/** One frame. */
export interface Frame {
  readonly kind: FrameKind;
  /** Which command it belongs to; 0 for none. */
  readonly stream: number;
  /** Valid until the next frame is read. */
  readonly payload: Uint8Array;
}

/** Most bytes of a command's input or output in one frame. */
const maxDataBytes: number = 64 * 1024;
/** A message holds at most a command line and an environment. */
const maxMessageBytes = 8 * 1024 * 1024;
/** `u32 payload bytes, u8 kind, u32 stream`, little endian. */
const headerBytes = 9;
const kinds: readonly FrameKind[] = ["message", "stdin", "stdout", "stderr"];

/** The bytes of a frame's header; the payload follows. */
export function frameHeader(kind: FrameKind, stream: number, payloadBytes: number): Uint8Array {
  const header = Buffer.allocUnsafe(headerBytes);
  header.writeUInt32LE(payloadBytes, 0);
  header[4] = kinds.indexOf(kind);
  header.writeUInt32LE(stream, 5);
  return header;
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The frames that these bytes end. Throws at what is no frame; nothing more can be read then. */
  *push(chunk: Uint8Array): Generator<Frame, void> {
    const bytes = this.#rest.byteLength === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    while (view.byteLength - at >= headerBytes) {
      const payloadBytes = view.readUInt32LE(at);
      const kind = kinds[view[at + 4] ?? -1];
      const limit = kind === "message" ? maxMessageBytes : maxDataBytes;
      if (kind === undefined || payloadBytes > limit) {
        throw new Error(`what was sent is no frame: kind ${view[at + 4]}, ${payloadBytes} bytes`);
      }
      const from = at + headerBytes;
      if (view.byteLength < from + payloadBytes) break;
      const payload = view.subarray(from, from + payloadBytes);
      yield { kind, stream: view.readUInt32LE(at + 5), payload };
      at = from + payloadBytes;
    }
    this.#rest = Buffer.from(view.subarray(at));
  }
}

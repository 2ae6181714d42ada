import type { OpenFile } from "@box/io";

/** Where the bytes of an archive go, one after the other. */
export interface ArchiveSink {
  /** Takes the next bytes; they may be used for others once it is done. */
  append(bytes: Uint8Array): Promise<void>;
  /** Whether bytes are of no use to it once it has taken them; false unless given. */
  readonly keepsNothing?: boolean;
  /** Takes back all bytes from a position on; absent where what is out is out. */
  rewind?(position: number): Promise<void>;
}

/** Writes into a file from its start. */
export function fileSink(file: OpenFile): ArchiveSink {
  let position = 0;
  return {
    keepsNothing: true,
    append: async (bytes) => {
      await file.write?.(position, bytes);
      position += bytes.byteLength;
    },
    rewind: async (to) => {
      await file.truncate?.(to);
      position = to;
    },
  };
}

/**
 * Hands chunks from a writer to a reader, one at a time: a chunk is the writer's again when the reader asks for the next
 * one.
 */
export class ChunkStream implements ArchiveSink {
  #chunk: Uint8Array | undefined;
  #isEnded = false;
  #failure: unknown;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  /** {@inheritDoc ArchiveSink.append} */
  async append(bytes: Uint8Array): Promise<void> {
    if (this.#isEnded) throw new Error("nobody reads the archive any more");
    if (bytes.byteLength === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wakeWriter = resolve;
    this.#chunk = bytes;
    this.#wakeReader?.();
    await promise;
    if (this.#isEnded) throw new Error("nobody reads the archive any more");
  }

  /** Says that nothing follows, or why. */
  end(failure?: unknown): void {
    this.#isEnded = true;
    this.#failure = failure;
    this.#wakeReader?.();
    this.#wakeWriter?.();
  }

  /** The chunks, in order. */
  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      if (this.#chunk === undefined && !this.#isEnded) {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wakeReader = resolve;
        await promise;
      }
      const chunk = this.#chunk;
      if (chunk === undefined) break;
      yield chunk;
      this.#chunk = undefined;
      this.#wakeWriter?.();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }
}

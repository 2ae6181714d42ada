import type { RandomAccess } from "./random-access.ts";

/** One call on an observed file, told before it is carried out. */
export interface FileOperation {
  /** 1 for the first call, counted over all kinds of calls. */
  readonly index: number;
  /** Which call it is. */
  readonly kind: "size" | "read" | "write" | "flush" | "truncate" | "punchHole";
  /** The first byte it touches; 0 for `size`, `flush` and `truncate`. */
  readonly offset: number;
  /** Bytes it reads, writes or frees; the new size for `truncate`. */
  readonly length: number;
  /** A copy of the bytes of a `write`. */
  readonly bytes?: Uint8Array;
}

/**
 * Wraps a file so that tests can count, record and fail its operations.
 *
 * @param before - Called before each operation; what it throws is what the operation throws.
 */
export function observeFile(
  file: RandomAccess,
  before: (operation: FileOperation) => void | Promise<void>,
): RandomAccess {
  let index = 0;
  const tell = (kind: FileOperation["kind"], offset: number, length: number, bytes?: Uint8Array) =>
    before({
      index: ++index,
      kind,
      offset,
      length,
      ...(bytes === undefined ? {} : { bytes: bytes.slice() }),
    });
  const { write, flush, truncate, punchHole, identity } = file;
  return {
    size: async () => {
      await tell("size", 0, 0);
      return file.size();
    },
    read: async (offset, length, into) => {
      await tell("read", offset, length);
      return file.read(offset, length, into);
    },
    ...(write && {
      write: async (offset: number, bytes: Uint8Array) => {
        await tell("write", offset, bytes.byteLength, bytes);
        await write.call(file, offset, bytes);
      },
    }),
    ...(flush && {
      flush: async () => {
        await tell("flush", 0, 0);
        await flush.call(file);
      },
    }),
    ...(truncate && {
      truncate: async (size: number) => {
        await tell("truncate", 0, size);
        await truncate.call(file, size);
      },
    }),
    ...(punchHole && {
      punchHole: async (offset: number, length: number) => {
        await tell("punchHole", offset, length);
        await punchHole.call(file, offset, length);
      },
    }),
    ...(identity && { identity: () => identity.call(file) }),
  };
}

import { IoError } from "../errors.ts";
import type { OpenFile } from "../random-access.ts";
import { type CreateFileDurablyOptions, createFileDurably } from "./durable.ts";
import { nodeFileSystem } from "./node-file-system.ts";
import { openFile } from "./open-file.ts";

const stepBytes = 1024 * 1024;
const blockBytes = 4096;

/** Options of {@link copyFileDurably}. */
export interface CopyFileDurablyOptions extends CreateFileDurablyOptions {
  /** Told of the content, piece by piece, as it is read. */
  readonly onBytes?: (bytes: Uint8Array) => void;
}

/**
 * Copies a file by the sequence of {@link createFileDurably}: the copy is whole under its name or not there at all. Blocks
 * of zeros become holes. The source is opened for reading only, and no symbolic link is followed.
 *
 * @returns The size in bytes.
 * @throws IoError, also when the source changes its size meanwhile.
 */
export async function copyFileDurably(
  from: string,
  to: string,
  options: CopyFileDurablyOptions = {},
): Promise<number> {
  const { fs = nodeFileSystem, signal, onBytes } = options;
  await using source = await openFile(from, { fs, followLink: false });
  const size = await source.size();
  const fill = async (copy: OpenFile): Promise<void> => {
    for (let offset = 0; offset < size; offset += stepBytes) {
      signal?.throwIfAborted();
      const wanted = Math.min(stepBytes, size - offset);
      const bytes = await source.read(offset, wanted);
      if (bytes.byteLength < wanted) throw shrank(from, size, offset + bytes.byteLength);
      onBytes?.(bytes);
      for (const [start, end] of dataRuns(bytes)) {
        await copy.write?.(offset + start, bytes.subarray(start, end));
      }
    }
    await copy.truncate?.(size);
  };
  await createFileDurably(to, fill, options);
  return size;
}

/** The parts of a piece that are not blocks of zeros. */
function* dataRuns(bytes: Uint8Array): Generator<readonly [number, number], void> {
  let start: number | undefined;
  for (let offset = 0; offset < bytes.byteLength; offset += blockBytes) {
    const isZero = bytes.subarray(offset, offset + blockBytes).every((byte) => byte === 0);
    if (!isZero) start ??= offset;
    else if (start !== undefined) {
      yield [start, offset];
      start = undefined;
    }
  }
  if (start !== undefined) yield [start, bytes.byteLength];
}

function shrank(path: string, expected: number, found: number): IoError {
  return new IoError({
    code: "IO_FAILED",
    message: `cannot copy ${path}: it had ${expected} bytes when the copy began, and ends at ${found} now`,
    details: { path, expected, found },
  });
}

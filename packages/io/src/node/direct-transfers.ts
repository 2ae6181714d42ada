import { constants } from "node:fs";
import type { FilePath, FileSystem, FileSystemHandle } from "./file-system.ts";
import { errnoOf } from "./io-error.ts";

/** Offsets, lengths and memory of direct transfers are multiples of this: no disk has larger blocks. */
const blockBytes = 4096;

/** A smaller transfer waits longer for the disk than the page cache's copy takes. */
const leastBytes = 65_536;

/** What file systems say that have no direct transfers, as some of those outside the kernel do only at the first one. */
const refusals: ReadonlySet<string | undefined> = new Set(["EINVAL", "ENOTSUP"]);

/** Says before each transfer that could be direct whether it should be; `true` is yes to all. */
export type DirectChoice = boolean | (() => boolean);

/**
 * Zeros in memory that starts where a page does, as direct transfers must have it.
 *
 * It is a view of a fixed length on a resizable buffer: those are what V8 takes from the system in whole pages. Should
 * it do otherwise one day, transfers go through the page cache.
 */
export function pageAlignedBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length, { maxByteLength: length }), 0, length);
}

/**
 * Lets an open file have transfers that go past the page cache: for content that nobody reads again soon, they take a fifth
 * of the processor time. They need {@link pageAlignedBytes}, 64 KiB at least, at offsets and of lengths in whole blocks of
 * 4096 bytes. All others are as before, and both kinds see each other's content.
 *
 * A file system that has no such thing refuses the flag, or the first transfer: all goes through the page cache then.
 *
 * @param handle - The open file, which is closed with the result.
 * @param flags - How it is opened once more, without creating anything.
 */
export async function withDirectTransfers(
  fs: FileSystem,
  handle: FileSystemHandle,
  path: FilePath,
  flags: number,
  choice: DirectChoice,
): Promise<FileSystemHandle> {
  const second = await openSecond(fs, handle, path, flags);
  if (second === undefined) return handle;
  let direct: FileSystemHandle | undefined = second;
  const isWanted = typeof choice === "function" ? choice : () => choice;
  const transfer = async (
    kind: "read" | "write",
    bytes: Uint8Array,
    position: number,
  ): Promise<number> => {
    if (direct !== undefined && isSuited(bytes, position) && isWanted()) {
      try {
        return await direct[kind](bytes, position);
      } catch (error) {
        if (!refusals.has(errnoOf(error))) throw error;
        direct = undefined;
      }
    }
    return handle[kind](bytes, position);
  };
  return {
    ...handle,
    read: (into, position) => transfer("read", into, position),
    write: (bytes, position) => transfer("write", bytes, position),
    close: async () => {
      direct = undefined;
      try {
        await second.close();
      } finally {
        await handle.close();
      }
    },
  };
}

/** Opens the same file for direct transfers. What stands in the way of that does not stand in the way of the file. */
async function openSecond(
  fs: FileSystem,
  handle: FileSystemHandle,
  path: FilePath,
  flags: number,
): Promise<FileSystemHandle | undefined> {
  // Only Linux has it.
  const directFlag: number | undefined = constants.O_DIRECT;
  if (directFlag === undefined) return undefined;
  let second: FileSystemHandle | undefined;
  try {
    second = await fs.open(path, flags | directFlag);
    const [one, other] = await Promise.all([handle.stat(), second.stat()]);
    // The name may have become another file's.
    if (one.dev === other.dev && one.ino === other.ino) return second;
  } catch {
    // Whatever is wrong with the file shows in the first handle too.
  }
  await second?.close().catch(() => {});
  return undefined;
}

function isSuited({ buffer, byteOffset, byteLength }: Uint8Array, position: number): boolean {
  return (
    byteLength >= leastBytes &&
    [position, byteOffset, byteLength].every((value) => value % blockBytes === 0) &&
    buffer instanceof ArrayBuffer &&
    buffer.resizable
  );
}

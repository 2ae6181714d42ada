import { IoError, type OpenFile } from "@box/io";
import {
  displayPath,
  type FilePath,
  type OpenFileOptions,
  openFile as openAny,
} from "@box/io/node";

/** The files that this process has open for writing, by device and inode: links to one file are one file. */
const written = new Set<string>();

/**
 * Opens a regular file at byte offsets: to read it, to read and write it (`rw`), or as a new one (`create`, which refuses
 * an existing file).
 *
 * A file that is open for writing is not opened for writing again before it is closed, for two writers of one image
 * destroy it. Nothing keeps other processes, or other threads of this one, from the file.
 *
 * @throws `IoError` `IO_LOCK_HELD` (in-use) for a second writer; `IO_NOT_FOUND`, `IO_EXISTS`, `IO_NO_SPACE`,
 * `IO_READ_ONLY` or `IO_FAILED` when the file cannot be opened.
 */
export async function openFile(path: FilePath, options: OpenFileOptions = {}): Promise<OpenFile> {
  const file = await openAny(path, options);
  const identity = file.identity?.();
  if ((options.mode ?? "r") === "r" || identity === undefined) return file;
  if (written.has(identity)) {
    await file.close();
    throw inUse(path);
  }
  written.add(identity);
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= file.close().finally(() => written.delete(identity));
    return closed;
  };
  return { ...file, close, [Symbol.asyncDispose]: close };
}

function inUse(path: FilePath): IoError {
  const name = displayPath(path);
  return new IoError({
    code: "IO_LOCK_HELD",
    message: `cannot open ${name} for writing: this process has it open for writing already`,
    details: { path: name },
    hint: "close it first, or share what is open",
  });
}

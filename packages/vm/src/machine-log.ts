import type { FileHandle } from "node:fs/promises";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { errnoOf, toIoError } from "@box/io/node";

/** What a machine leaves in its log folder: what its program wrote, and what its kernel and agent did. */
export type MachineLogName = "output" | "console";

/** Where the console of a machine is logged, below its log folder. */
export const consoleLogName = "console.log";

/** Where the output of its program is logged. */
export const outputLogName = "output.log";

/** Where the older part of a log is: a log never has more than two files. */
export function olderLogPath(path: string): string {
  return `${path}.1`;
}

/** What {@link readMachineLog} takes. */
export interface ReadMachineLogOptions {
  /** Only the last so many lines; all unless given. */
  readonly tailLines?: number;
  /** Goes on with what is added, until this says that nothing more comes. */
  readonly follow?: () => Promise<boolean>;
  /** Stops reading. */
  readonly signal?: AbortSignal;
}

const pollMs = 200;
const chunkBytes = 64 * 1024;
const lineFeed = 0x0a;

/**
 * Reads a log of a machine, from its oldest line on; one that is not there is empty. The bytes are the guest's own. A reader that
 * follows and is slower than the guest by more than two files of a log misses what has gone.
 *
 * @throws IoError; the signal's reason.
 */
export async function* readMachineLog(
  logDirectory: string,
  name: MachineLogName,
  options: ReadMachineLogOptions = {},
): AsyncGenerator<Uint8Array, void> {
  const { tailLines, follow, signal } = options;
  const path = join(logDirectory, name === "output" ? outputLogName : consoleLogName);
  await using log = new LogReader(path);
  signal?.throwIfAborted();
  const whole = Buffer.concat(await log.more());
  const kept = tailLines === undefined ? whole : lastLines(whole, tailLines);
  if (kept.byteLength > 0) yield kept;
  for (let isOver = follow === undefined; !isOver; ) {
    // What came before the end was seen is read after it.
    isOver = (await follow?.()) ?? true;
    const chunks = await log.more();
    yield* chunks;
    if (!isOver && chunks.length === 0) await pause(signal);
  }
}

/** The last lines of a text; a last one without an end counts too. */
function lastLines(bytes: Buffer, lines: number): Buffer {
  if (lines === 0) return bytes.subarray(bytes.byteLength);
  let at = bytes.byteLength - 1;
  for (let left = lines; left > 0; left--) {
    at = at > 0 ? bytes.lastIndexOf(lineFeed, at - 1) : -1;
    if (at < 0) return bytes;
  }
  return bytes.subarray(at + 1);
}

/** Reads a log that its writer moves aside when it is full. */
class LogReader implements AsyncDisposable {
  readonly #path: string;
  #file: FileHandle | undefined;
  #inode = 0;
  #offset = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** What was added since. */
  async more(): Promise<Uint8Array[]> {
    try {
      const isFirst = this.#file === undefined;
      const chunks = await this.#rest();
      if (!isFirst && (await inodeOf(this.#path)) === this.#inode) return chunks;
      // It was moved aside after that, or this is the first look.
      chunks.push(...(await this.#rest()));
      const older = olderLogPath(this.#path);
      const olderInode = await inodeOf(older);
      if (olderInode !== undefined && olderInode !== this.#inode) {
        chunks.push(...(await this.#take(older)));
      }
      chunks.push(...(await this.#take(this.#path)));
      return chunks;
    } catch (error) {
      throw toIoError(error, { action: "cannot read", path: this.#path });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  /** Goes on with another file. */
  async #take(path: string): Promise<Uint8Array[]> {
    let file: FileHandle;
    try {
      file = await open(path, "r");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    }
    await this.#file?.close();
    this.#file = file;
    const { ino } = await file.stat();
    if (ino !== this.#inode) this.#offset = 0;
    this.#inode = ino;
    return this.#rest();
  }

  async #rest(): Promise<Uint8Array[]> {
    const chunks: Uint8Array[] = [];
    for (;;) {
      const buffer = Buffer.allocUnsafe(chunkBytes);
      const { bytesRead = 0 } = (await this.#file?.read(buffer, 0, chunkBytes, this.#offset)) ?? {};
      if (bytesRead === 0) return chunks;
      this.#offset += bytesRead;
      chunks.push(buffer.subarray(0, bytesRead));
    }
  }
}

async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function pause(signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(pollMs, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

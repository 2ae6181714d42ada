import { MemoryFile, observeFile, type RandomAccess } from "@box/io";
import { type AllowedFile, allowList, type FileResolver } from "@box/qcow2";

/** Files in memory under names, as a resolver for chains of them. */
export function memoryChain(files: Readonly<Record<string, RandomAccess>>): FileResolver {
  const allowed = Object.entries(files).map(
    ([name, source]): AllowedFile => ({ name, open: () => ({ source }) }),
  );
  return allowList(allowed);
}

/** One recorded change of one of several files, in the order in which they happened. */
export type ChainChange =
  | {
      readonly file: string;
      readonly kind: "write";
      readonly offset: number;
      readonly bytes: Uint8Array;
    }
  | { readonly file: string; readonly kind: "flush" }
  | { readonly file: string; readonly kind: "truncate"; readonly length: number };

/** Several files whose changes are recorded in one log. */
export interface RecordedFiles {
  /** The files, to be changed. */
  readonly files: Readonly<Record<string, RandomAccess>>;
  /** What happened to them. */
  readonly log: ChainChange[];
  /** All files after the first `end` changes; of those after a file's last flush each one or not, as `chance` says. */
  after(end: number, chance?: number): Record<string, MemoryFile>;
}

/** Records the changes of files, so that a crash after any of them can be looked at. */
export function recordedFiles(start: Readonly<Record<string, Uint8Array>>): RecordedFiles {
  const log: ChainChange[] = [];
  const files: Record<string, RandomAccess> = {};
  for (const [file, content] of Object.entries(start)) {
    const observed = observeFile(new MemoryFile(content), ({ kind, offset, length, bytes }) => {
      if (kind === "write") log.push({ file, kind, offset, bytes: bytes ?? new Uint8Array(0) });
      if (kind === "flush") log.push({ file, kind });
      if (kind === "truncate") log.push({ file, kind, length });
    });
    // Holes are punched without a word: what a crash leaves of them is no concern of a check.
    const { punchHole: _, ...rest } = observed;
    files[file] = rest;
  }
  return { files, log, after: (end, chance = 0) => replay(start, log.slice(0, end), chance) };
}

function replay(
  start: Readonly<Record<string, Uint8Array>>,
  changes: readonly ChainChange[],
  chance: number,
): Record<string, MemoryFile> {
  const files: Record<string, MemoryFile> = {};
  for (const [name, content] of Object.entries(start)) {
    const own = changes.filter(({ file }) => file === name);
    const lastFlush = own.findLastIndex(({ kind }) => kind === "flush");
    let state = chance;
    const survives = (index: number): boolean => {
      if (index < lastFlush || chance === 0) return true;
      state = (state * 1103515245 + 12345) % 2 ** 31;
      return state % 3 !== 0;
    };
    files[name] = applied(
      content,
      own.filter((_, index) => survives(index)),
    );
  }
  return files;
}

function applied(content: Uint8Array, changes: readonly ChainChange[]): MemoryFile {
  let bytes = content.slice();
  const resize = (length: number): void => {
    const next = new Uint8Array(length);
    next.set(bytes.subarray(0, length));
    bytes = next;
  };
  for (const change of changes) {
    if (change.kind === "truncate") resize(change.length);
    if (change.kind !== "write") continue;
    const end = change.offset + change.bytes.byteLength;
    if (end > bytes.byteLength) resize(end);
    bytes.set(change.bytes, change.offset);
  }
  return new MemoryFile(bytes);
}

/** A source of errors: the call with this number, counted over all wrapped files, fails once. */
export class Failer {
  /** Calls so far. */
  calls = 0;
  /** What kind of call was failed. */
  failed: string | undefined;
  readonly #at: number;

  constructor(at: number) {
    this.#at = at;
  }

  /** A file whose calls are counted. */
  wrap(file: RandomAccess): RandomAccess {
    const { punchHole: _, ...rest } = observeFile(file, ({ kind }) => {
      if (++this.calls !== this.#at) return;
      this.failed = kind;
      throw new Error("EIO: i/o error");
    });
    return rest;
  }
}

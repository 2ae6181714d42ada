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
  /**
   * The files after a crash behind every change: with all that was written, with each single change lost that no flush
   * of its file had made safe, and with some of them lost.
   */
  crashes(): Generator<Record<string, MemoryFile>>;
  /** The files as they are in the end. */
  finished(): Record<string, MemoryFile>;
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
  return {
    files,
    log,
    finished: () => replay(start, log),
    *crashes() {
      for (let end = 0; end <= log.length; end++) {
        const changes = log.slice(0, end);
        const unsafe = unsafeChanges(changes);
        yield replay(start, changes);
        for (const lost of unsafe) yield replay(start, without(changes, [lost]));
        for (const third of [0, 1, 2]) {
          yield replay(
            start,
            without(
              changes,
              unsafe.filter((_, index) => index % 3 === third),
            ),
          );
        }
      }
    },
  };
}

/** The changes that a crash may lose. */
function unsafeChanges(changes: readonly ChainChange[]): ChainChange[] {
  const isFlushed = ({ file }: ChainChange, at: number): boolean =>
    changes.slice(at).some((later) => later.kind === "flush" && later.file === file);
  return changes.filter((change, at) => change.kind !== "flush" && !isFlushed(change, at));
}

function without(changes: readonly ChainChange[], lost: readonly ChainChange[]): ChainChange[] {
  return changes.filter((change) => !lost.includes(change));
}

function replay(
  start: Readonly<Record<string, Uint8Array>>,
  changes: readonly ChainChange[],
): Record<string, MemoryFile> {
  const files = Object.entries(start).map(([name, content]) => {
    const own = changes.filter(({ file }) => file === name);
    return [name, applied(content, own)] as const;
  });
  return Object.fromEntries(files);
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

import { protocolError } from "../protocol/frames.ts";
import { encodeTreeRecord, type TreeRecord } from "../protocol/tree-records.ts";
import { CallBatch, lastingWord, scratchAddress, type Word } from "./call-batch.ts";
import { CallFailure, invalidArgument } from "./call-failure.ts";
import type { Caller, CallResult } from "./caller.ts";
import { askStatus, type FileStatus, parseStatus } from "./file-status.ts";
import { type FolderEntry, parseEntries } from "./folder-entries.ts";
import {
  asFolder,
  fromRoot,
  joinPaths,
  noFollow,
  open,
  openFlags,
  requireAbsolute,
  splitPath,
} from "./guest-paths.ts";

/** What is read of a guest. */
export interface ReadTreeOptions {
  /** Absolute path of a file or folder. */
  readonly path: string;
  /** Only its first record, without content. */
  readonly onlyLooks?: boolean;
  /** Follows a link that the path itself is. */
  readonly follows?: boolean;
}

interface Folder {
  /** Below the folder that is read; empty for that itself. */
  readonly path: Uint8Array;
  readonly word: Word;
}

interface Entry extends FolderEntry {
  readonly folder: Folder;
  readonly path: Uint8Array;
}

const root = lastingWord(0);
const single = lastingWord(1);
const mostFolders = 16;
const folderWords = Array.from({ length: mostFolders }, (_, index) => lastingWord(2 + index));
const filesOfBatch = 16;
const batchesOnTheWay = 4;
const fileWords = Array.from({ length: filesOfBatch * batchesOnTheWay }, (_, index) =>
  lastingWord(2 + mostFolders + index),
);
const longestPath = 4095;
const firstReadBytes = 48 * 1024;
const readBytes = 64 * 1024;
const listBytes = 32 * 1024;
/** Bytes of lists, and of paths of folders, that are held at a time: what a guest says may never end. */
const mostHeldBytes = 16 * 2 ** 20;
/** Files with several names whose first is remembered. */
const mostLinked = 100_000;
const again = 11;
const tooMuch = 75;
const tooLong = 36;
const none = new Uint8Array(0);
const reading = openFlags.read | openFlags.nonBlocking;

/**
 * Reads a file of a guest, or a folder with all that is in it, as records. What is neither file nor folder nor link is left out, and
 * no link below it is followed.
 *
 * @throws CallFailure when it is not there, or is none of these; what it gives throws one when something in it cannot be read.
 */
export async function readTree(
  caller: Caller,
  { path, onlyLooks = false, follows = false }: ReadTreeOptions,
): Promise<AsyncGenerator<Uint8Array, void>> {
  requireAbsolute(path);
  const own = withoutSlashes(new TextEncoder().encode(path));
  const [folder, last] = splitPath(own);
  const name = last.byteLength === 0 ? new TextEncoder().encode("root") : last;
  const isNamed = name.some((byte) => byte !== 0x2e) && own.byteLength <= longestPath;
  if (!isNamed) throw new CallFailure("invalid", invalidArgument, "the path has no last name");
  const at = own.byteLength === 0 ? new TextEncoder().encode("/") : own;
  const batch = new CallBatch();
  const what = "cannot look at";
  const flags = follows ? 0 : noFollow;
  const looked = askStatus(batch, fromRoot, at, { flags, what, path: at });
  const linked = readLink(batch, fromRoot, at, at);
  const results = await caller.run(batch);
  const status = parseStatus(bytesOf(results, looked));
  const { kind } = status;
  if (kind === "other") {
    const text = "it is neither a file nor a folder nor a link";
    throw new CallFailure("unsupported", 0, text);
  }
  if (kind === "symlink" || onlyLooks)
    return once(recordOf(status, name, kind === "symlink" ? bytesOf(results, linked) : none));
  const opening = new CallBatch();
  const how = { flags: reading, what: "cannot open", path: at, into: root };
  if (follows || own.byteLength === 0) open(opening, fromRoot, at, { ...how, below: false });
  else {
    open(opening, fromRoot, asFolder(folder), { ...how, below: false, into: single });
    open(opening, single, last, how);
  }
  const opened = askStatus(opening, root, "", { what, path: at });
  const facts = parseStatus(bytesOf(await caller.run(opening), opened));
  if (facts.kind !== kind) throw CallFailure.of(again, "it changed:", at);
  const reader = new TreeReader(caller, name);
  return kind === "file" ? reader.file(facts) : reader.folders();
}

/** Reads what is in a folder. */
class TreeReader {
  readonly #caller: Caller;
  readonly #name: Uint8Array;
  /** Under which name a file of several was sent. */
  readonly #sent = new Map<string, Uint8Array>();
  readonly #usedWords = new Set<Word>();

  constructor(caller: Caller, name: Uint8Array) {
    this.#caller = caller;
    this.#name = name;
  }

  /** The one file that is open. */
  async *file(status: FileStatus): AsyncGenerator<Uint8Array, void> {
    yield recordOf(status, this.#name);
    yield* this.#content(root, status.sizeBytes, this.#name);
  }

  /** The folder that is open. Each folder comes before what is in it. */
  async *folders(): AsyncGenerator<Uint8Array, void> {
    const waiting: Uint8Array[] = [none];
    let waitingBytes = 0;
    while (waiting.length > 0) {
      const entries: Entry[] = [];
      const paths = waiting.splice(-mostFolders);
      for (const path of paths) waitingBytes -= path.byteLength;
      for (const { status, path, found } of await this.#list(paths)) {
        yield recordOf(status, this.#named(path));
        for (const entry of found) entries.push(entry);
      }
      await this.#lookAtUnknown(entries);
      for (const { kind, path } of entries) {
        if (kind !== "directory") continue;
        waiting.push(path);
        waitingBytes += path.byteLength;
        this.#refuseAbove(mostHeldBytes, waitingBytes, path);
      }
      yield* this.#links(entries.filter(({ kind }) => kind === "symlink"));
      yield* this.#files(entries.filter(({ kind }) => kind === "file"));
    }
  }

  /** What is in some folders, which stay open until the next are. */
  async #list(paths: readonly Uint8Array[]) {
    const batch = new CallBatch();
    const folders = paths.map((path, index) => ({ path, word: folderWords[index] ?? single }));
    const places = folders.map(({ path, word }) => {
      const named = this.#named(path);
      this.#close(batch, word);
      const name = path.byteLength === 0 ? "." : asFolder(path);
      open(batch, root, name, { flags: reading, into: word, what: "cannot open", path: named });
      const status = askStatus(batch, word, "", { what: "cannot look at", path: named });
      return { status, list: [list(batch, word, named), list(batch, word, named)] };
    });
    const results = await this.#caller.run(batch);
    const listed = [];
    let heldBytes = 0;
    for (const [index, folder] of folders.entries()) {
      const { status = 0, list: parts = [] } = places[index] ?? {};
      const chunks = parts.map((at) => bytesOf(results, at));
      heldBytes += chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
      while (chunks.at(-1)?.byteLength !== 0) {
        this.#refuseAbove(mostHeldBytes, heldBytes, folder.path);
        const more = new CallBatch();
        const at = list(more, folder.word, this.#named(folder.path));
        const chunk = bytesOf(await this.#caller.run(more), at);
        heldBytes += chunk.byteLength;
        chunks.push(chunk);
      }
      const found = chunks.flatMap(parseEntries).map((entry): Entry => {
        const path = joinPaths(folder.path, entry.name);
        if (this.#named(path).byteLength > longestPath)
          throw CallFailure.of(tooLong, "too deep:", path);
        return { ...entry, folder, path };
      });
      listed.push({ status: parseStatus(bytesOf(results, status)), path: folder.path, found });
    }
    return listed;
  }

  #refuseAbove(most: number, held: number, path: Uint8Array): void {
    if (held > most) throw CallFailure.of(tooMuch, "there is too much in", this.#named(path));
  }

  /** Some file systems do not tell what their entries are. */
  async #lookAtUnknown(entries: Entry[]): Promise<void> {
    for (const [index, entry] of entries.entries()) {
      if (entry.kind !== "unknown") continue;
      const { folder, name, path } = entry;
      const batch = new CallBatch();
      const about = { flags: noFollow, what: "cannot look at", path: this.#named(path) };
      const at = askStatus(batch, folder.word, name, about);
      const { kind } = parseStatus(bytesOf(await this.#caller.run(batch), at));
      entries[index] = { ...entry, kind };
    }
  }

  async *#links(entries: readonly Entry[]): AsyncGenerator<Uint8Array, void> {
    for (let first = 0; first < entries.length; first += filesOfBatch) {
      const batch = new CallBatch();
      const asked = entries.slice(first, first + filesOfBatch).map(({ folder, name, path }) => {
        const named = this.#named(path);
        const about = { flags: noFollow, what: "cannot look at", path: named };
        const status = askStatus(batch, folder.word, name, about);
        return { named, status, target: readLink(batch, folder.word, name, named) };
      });
      const results = await this.#caller.run(batch);
      for (const { named, status, target } of asked) {
        const facts = parseStatus(bytesOf(results, status));
        const link = bytesOf(results, target);
        if (facts.kind !== "symlink" || link.byteLength === 0)
          throw CallFailure.of(again, "it changed:", named);
        yield recordOf(facts, named, link);
      }
    }
  }

  async *#files(entries: readonly Entry[]): AsyncGenerator<Uint8Array, void> {
    const onTheWay: ReturnType<TreeReader["openFiles"]>[] = [];
    for (let next = 0, batches = 0; next < entries.length || onTheWay.length > 0; ) {
      while (next < entries.length && onTheWay.length < batchesOnTheWay) {
        const words = fileWords.slice((batches % batchesOnTheWay) * filesOfBatch);
        const opened = this.openFiles(entries.slice(next, next + filesOfBatch), words);
        opened.catch(() => {});
        onTheWay.push(opened);
        next += filesOfBatch;
        batches += 1;
      }
      for (const { word, named, status, begin } of (await onTheWay.shift()) ?? []) {
        const first = status.links > 1 ? this.#sent.get(status.identity) : undefined;
        if (status.links > 1 && first === undefined) {
          this.#refuseAbove(mostLinked, this.#sent.size + 1, named);
          this.#sent.set(status.identity, named);
        }
        yield recordOf(status, named, first);
        if (first === undefined) yield* this.#content(word, status.sizeBytes, named, begin);
      }
    }
  }

  /** Opens files and reads the beginning of each, which is all of most. */
  async openFiles(entries: readonly Entry[], words: readonly Word[]) {
    const batch = new CallBatch();
    const asked = entries.map(({ folder, name, path }, index) => {
      const word = words[index] ?? single;
      const named = this.#named(path);
      this.#close(batch, word);
      open(batch, folder.word, name, {
        flags: reading,
        into: word,
        what: "cannot open",
        path: named,
      });
      const status = askStatus(batch, word, "", { what: "cannot look at", path: named });
      return { word, named, status, begin: read(batch, word, firstReadBytes, named) };
    });
    const results = await this.#caller.run(batch);
    return asked.map(({ word, named, status, begin }) => {
      const facts = parseStatus(bytesOf(results, status));
      if (facts.kind !== "file") throw CallFailure.of(again, "it changed:", named);
      return { word, named, status: facts, begin: bytesOf(results, begin) };
    });
  }

  /** Exactly as many bytes as the record said, also of a file that changes meanwhile. */
  async *#content(
    word: Word,
    sizeBytes: number,
    path: Uint8Array,
    begin: Uint8Array = none,
  ): AsyncGenerator<Uint8Array, void> {
    let left = sizeBytes - Math.min(begin.byteLength, sizeBytes);
    if (left < sizeBytes) yield begin.subarray(0, sizeBytes);
    const onTheWay: Promise<readonly CallResult[]>[] = [];
    let asked = 0;
    let isAtEnd = begin.byteLength > 0 && begin.byteLength < firstReadBytes;
    while (left > 0) {
      while (!isAtEnd && asked < left && onTheWay.length < 2 * batchesOnTheWay) {
        const batch = new CallBatch();
        read(batch, word, readBytes, path);
        const result = this.#caller.run(batch);
        result.catch(() => {});
        onTheWay.push(result);
        asked += readBytes;
      }
      const part = isAtEnd ? new Uint8Array(readBytes) : bytesOf((await onTheWay.shift()) ?? [], 0);
      asked -= readBytes;
      isAtEnd = isAtEnd || part.byteLength === 0;
      const taken = part.subarray(0, left);
      left -= taken.byteLength;
      if (taken.byteLength > 0) yield taken;
    }
    await Promise.all(onTheWay);
  }

  #named(path: Uint8Array): Uint8Array {
    return path.byteLength === 0 ? this.#name : joinPaths(this.#name, path);
  }

  /** Closes what a place had open before. */
  #close(batch: CallBatch, word: Word): void {
    if (this.#usedWords.has(word)) batch.call("close", [word], { goesOn: "always" });
    this.#usedWords.add(word);
  }
}

function list(batch: CallBatch, folder: Word, path: Uint8Array): number {
  const tells = { address: scratchAddress, length: "result" } as const;
  const options = { tells, what: "cannot read", path };
  return batch.call("getdents64", [folder, scratchAddress, listBytes], options);
}

function read(batch: CallBatch, file: Word, bytes: number, path: Uint8Array): number {
  const tells = { address: scratchAddress, length: "result" } as const;
  return batch.call("read", [file, scratchAddress, bytes], { tells, what: "cannot read", path });
}

function readLink(
  batch: CallBatch,
  folder: Word | number,
  name: Uint8Array,
  path: Uint8Array,
): number {
  const tells = { address: scratchAddress, length: "result" } as const;
  const values = [folder, batch.text(name), scratchAddress, longestPath];
  return batch.call("readlinkat", values, { tells, goesOn: "always", path });
}

function recordOf(status: FileStatus, path: Uint8Array, link: Uint8Array = none): Uint8Array {
  const { kind, mode, uid, gid, mtimeNs, sizeBytes } = status;
  if (kind === "other") throw protocolError("a file turned into something else");
  const isHardLink = kind === "file" && link.byteLength > 0;
  const record: TreeRecord = {
    ...{ kind: isHardLink ? "hardlink" : kind, mode, uid, gid, mtimeNs, path },
    sizeBytes: kind === "file" && !isHardLink ? sizeBytes : 0,
    linkTarget: kind === "directory" ? none : link,
  };
  return encodeTreeRecord(record);
}

function bytesOf(results: readonly CallResult[], at: number): Uint8Array {
  return results[at]?.bytes ?? none;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}

function withoutSlashes(path: Uint8Array): Uint8Array {
  let length = path.byteLength;
  while (length > 0 && path[length - 1] === 0x2f) length -= 1;
  return path.subarray(0, length);
}

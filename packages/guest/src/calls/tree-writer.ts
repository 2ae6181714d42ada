import { isBoxError } from "@box/errors";
import { type TreeRecord, TreeRecordDecoder } from "../protocol/tree-records.ts";
import { CallBatch, lastingWord, mostScratchBytes, type Word } from "./call-batch.ts";
import { CallFailure, inputOutputError, invalidArgument } from "./call-failure.ts";
import type { Caller, CallResult } from "./caller.ts";
import { timesOf } from "./file-status.ts";
import {
  asFolder,
  fromRoot,
  itself,
  noFollow,
  open,
  openFlags,
  requireAbsolute,
  samePath,
  splitPath,
} from "./guest-paths.ts";

/** How files are written. */
export interface WriteTreeOptions {
  /** Absolute path of the folder that they are written into. */
  readonly path: string;
  /** Whose they become: root's, as their records say, or whoever writes them, as one who is not root can. */
  readonly owners: "root" | "recorded" | "own";
}

interface LeftFolder {
  readonly path: Uint8Array;
  readonly mtimeNs: bigint;
}

const [root, parent, source, target] = [0, 1, 2, 3].map(lastingWord) as [Word, Word, Word, Word];
const noEntry = 2;
const exists = 17;
/** Batches that are on their way at once, and how large one grows. */
const mostOnTheWay = 8;
const largestBatch = 128 * 1024;
const largestWrite: number = Math.min(60 * 1024, mostScratchBytes);
const none = new Uint8Array(0);

/**
 * Writes files that come as records into a folder of a guest. Files and links that are there are replaced, folders are kept. No link
 * below the folder is followed: nothing leads out of it.
 */
export class TreeWriter {
  readonly #caller: Caller;
  readonly #owners: WriteTreeOptions["owners"];
  readonly #decoder = new TreeRecordDecoder();
  readonly #onTheWay: Promise<readonly CallResult[]>[] = [];
  readonly #folders: LeftFolder[] = [];
  #batch = new CallBatch();
  /** The folder that is open as the parent of what is written. */
  #parent: Uint8Array | undefined;
  #file: TreeRecord | undefined;
  #contentLeft = 0;

  private constructor(caller: Caller, owners: WriteTreeOptions["owners"]) {
    this.#caller = caller;
    this.#owners = owners;
  }

  /** Opens the folder. @throws CallFailure when it is not there. */
  static async open(caller: Caller, { path, owners }: WriteTreeOptions): Promise<TreeWriter> {
    requireAbsolute(path);
    const batch = new CallBatch();
    const bytes = new TextEncoder().encode(path);
    const what = "cannot open the folder";
    const options = { flags: openFlags.read, below: false, into: root, what, path: bytes };
    open(batch, fromRoot, asFolder(bytes), options);
    await caller.run(batch);
    return new TreeWriter(caller, owners);
  }

  /** Takes the next bytes of the records, cut anywhere. @throws CallFailure. */
  async write(chunk: Uint8Array): Promise<void> {
    try {
      for (const event of this.#decoder.push(chunk)) {
        if (event.type === "record") this.#record(event.record);
        else this.#content(event.bytes);
        if (this.#batch.bytes > largestBatch) await this.#send();
      }
    } catch (error) {
      throw isBoxError(error) ? new CallFailure("invalid", invalidArgument, error.message) : error;
    }
    await this.#send();
  }

  /** All was written. Gives folders their times, and waits until everything is done. @throws CallFailure. */
  async end(): Promise<void> {
    if (!this.#decoder.isBetweenRecords) {
      throw new CallFailure("invalid", inputOutputError, "the input ends within a file");
    }
    for (const { path, mtimeNs } of this.#folders.reverse()) {
      const [folder, name] = splitPath(path);
      const into = this.#openParent(folder);
      this.#setTimes(into, name, mtimeNs);
      if (this.#batch.bytes > largestBatch) await this.#send();
    }
    await this.#send();
    await Promise.all(this.#onTheWay);
  }

  async #send(): Promise<void> {
    if (this.#batch.calls.length === 0) return;
    this.#onTheWay.push(this.#caller.run(this.#batch));
    this.#batch = new CallBatch();
    if (this.#onTheWay.length >= mostOnTheWay) await this.#onTheWay.shift();
  }

  #record(record: TreeRecord): void {
    const { kind, path } = record;
    const [folder, name] = splitPath(path);
    const into = this.#openParent(folder);
    const goesOn = kind === "directory" ? "always" : [noEntry];
    const named = this.#batch.text(name);
    this.#call("unlinkat", [into, named, 0], { goesOn, what: "cannot replace", path });
    if (kind === "directory") this.#putFolder(into, name, record);
    else if (kind === "symlink") this.#putLink(into, name, record);
    else if (kind === "hardlink") this.#putHardLink(into, name, record);
    else this.#beginFile(into, name, record);
  }

  #beginFile(into: Word, name: Uint8Array, record: TreeRecord): void {
    const { path, sizeBytes } = record;
    const flags = openFlags.write | openFlags.create | openFlags.exclusive;
    const what = "cannot make";
    open(this.#batch, into, name, { flags, mode: 0o600, into: target, what, path });
    this.#file = record;
    this.#contentLeft = sizeBytes;
    if (sizeBytes === 0) this.#endFile(record);
  }

  #content(bytes: Uint8Array): void {
    const record = this.#file;
    if (record === undefined) return;
    for (let at = 0; at < bytes.byteLength; at += largestWrite) {
      const part = bytes.subarray(at, at + largestWrite);
      const exactly = part.byteLength;
      const values = [target, this.#batch.data(part), exactly];
      this.#call("write", values, { exactly, what: "cannot write", path: record.path });
    }
    this.#contentLeft -= bytes.byteLength;
    if (this.#contentLeft === 0) this.#endFile(record);
  }

  /** By the descriptor: the name may lead elsewhere by now. */
  #endFile(record: TreeRecord): void {
    const { path, mode, mtimeNs } = record;
    this.#file = undefined;
    this.#setOwner(target, none, record);
    this.#call("fchmod", [target, mode], { what: "cannot set the mode of", path });
    const values = [target, 0, timesOf(this.#batch, mtimeNs), 0];
    this.#call("utimensat", values, { goesOn: "always" });
    this.#call("close", [target], { what: "cannot write", path });
  }

  #putFolder(into: Word, name: Uint8Array, record: TreeRecord): void {
    const { path, mode, mtimeNs } = record;
    const made = [into, this.#batch.text(name), 0o700];
    this.#call("mkdirat", made, { goesOn: [exists], what: "cannot make", path });
    const what = "cannot open the folder";
    open(this.#batch, into, asFolder(name), { flags: openFlags.read, into: target, what, path });
    this.#setOwner(target, none, record);
    this.#call("fchmod", [target, mode], { what: "cannot set the mode of", path });
    this.#call("close", [target]);
    this.#folders.push({ path: path.slice(), mtimeNs });
  }

  #putLink(into: Word, name: Uint8Array, record: TreeRecord): void {
    const { path, linkTarget, mtimeNs } = record;
    const values = [this.#batch.text(linkTarget), into, this.#batch.text(name)];
    this.#call("symlinkat", values, { what: "cannot make", path });
    this.#setOwner(into, name, record);
    this.#setTimes(into, name, mtimeNs);
  }

  #putHardLink(into: Word, name: Uint8Array, { path, linkTarget }: TreeRecord): void {
    const [folder, first] = splitPath(linkTarget);
    this.#openFolder(folder, source);
    const values = [source, this.#batch.text(first), into, this.#batch.text(name), 0];
    this.#call("linkat", values, { what: "cannot link", path });
    this.#call("close", [source]);
  }

  #setOwner(at: Word, name: Uint8Array, { path, uid, gid }: TreeRecord): void {
    if (this.#owners === "own") return;
    const [user, group] = this.#owners === "recorded" ? [uid, gid] : [0, 0];
    const values = [at, this.#batch.text(name), user, group, noFollow | itself];
    this.#call("fchownat", values, { what: "cannot give away", path });
  }

  #setTimes(folder: Word, name: Uint8Array, mtimeNs: bigint): void {
    const values = [folder, this.#batch.text(name), timesOf(this.#batch, mtimeNs), noFollow];
    this.#call("utimensat", values, { goesOn: "always" });
  }

  /** What is written next is mostly in the same folder. */
  #openParent(path: Uint8Array): Word {
    if (this.#parent !== undefined && samePath(this.#parent, path)) return parent;
    if (this.#parent !== undefined) this.#call("close", [parent]);
    this.#openFolder(path, parent);
    this.#parent = path.slice();
    return parent;
  }

  #openFolder(path: Uint8Array, into: Word): void {
    const name = path.byteLength === 0 ? "." : asFolder(path);
    const what = "cannot open the folder";
    open(this.#batch, root, name, { flags: openFlags.read, into, what, path });
  }

  #call(...call: Parameters<CallBatch["call"]>): void {
    this.#batch.call(...call);
  }
}

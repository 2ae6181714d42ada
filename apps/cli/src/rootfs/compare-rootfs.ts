import { setImmediate as nextTurn } from "node:timers/promises";
import type { DataRun, Ext4Attributes, Ext4Reader } from "@box/ext4";
import type { RootfsDifference } from "../commands/rootfs-diff/schemas.ts";
import { showPath } from "./image-path.ts";
import { type RootfsEntry, toRootfsEntry } from "./rootfs-entry.ts";

/** A file system's files by path. The keys are paths with one character for each byte. */
interface Listing {
  readonly reader: Ext4Reader;
  readonly files: Map<string, Ext4Attributes>;
  /** The first path of each inode with several names. */
  readonly firstNames: Map<number, string>;
}

const chunkBytes = 2 ** 20;

/** Compares two file systems path by path: types, attributes, which names are one file, and content. */
export async function compareRootfs(
  a: Ext4Reader,
  b: Ext4Reader,
  signal: AbortSignal,
): Promise<RootfsDifference[]> {
  const [left, right] = [await listAll(a, signal), await listAll(b, signal)];
  const differences: RootfsDifference[] = [];
  const paths = [...new Set([...left.files.keys(), ...right.files.keys()])].sort((one, other) =>
    one < other ? -1 : 1,
  );
  for (const key of paths) {
    signal.throwIfAborted();
    const path = showPath(Buffer.from(key, "latin1")) || "/";
    const [one, other] = [left.files.get(key), right.files.get(key)];
    if (one === undefined) differences.push({ path, change: "added" });
    else if (other === undefined) differences.push({ path, change: "removed" });
    else {
      const what = differingFields(key, one, other, left, right);
      const isContentDue = one.type === "file" && other.type === "file" && !what.includes("size");
      if (isContentDue && (await differsInContent(a, one, b, other, signal))) what.push("content");
      if (what.length > 0) differences.push({ path, change: "modified", what });
    }
  }
  return differences;
}

async function listAll(reader: Ext4Reader, signal: AbortSignal): Promise<Listing> {
  const files = new Map<string, Ext4Attributes>([["", await reader.attributes(reader.root)]]);
  for await (const { path, attributes } of reader.walk()) {
    signal.throwIfAborted();
    files.set(Buffer.from(path).toString("latin1"), attributes);
  }
  const firstNames = new Map<number, string>();
  for (const [path, { inode, type, links }] of files) {
    if (type === "directory" || links < 2) continue;
    const first = firstNames.get(inode);
    if (first === undefined || path < first) firstNames.set(inode, path);
  }
  return { reader, files, firstNames };
}

const fields: readonly (readonly [what: string, of: (entry: RootfsEntry) => unknown])[] = [
  ["type", ({ type }) => type],
  ["mode", ({ mode }) => mode],
  ["owner", ({ uid, gid }) => `${uid}:${gid}`],
  ["size", ({ type, sizeBytes }) => (type === "file" ? sizeBytes : 0)],
  ["mtime", ({ mtime }) => mtime],
  ["target", ({ target }) => target],
  ["device", ({ device }) => device],
  ["xattrs", ({ xattrs }) => JSON.stringify(xattrs)],
];

function differingFields(
  key: string,
  one: Ext4Attributes,
  other: Ext4Attributes,
  left: Listing,
  right: Listing,
): string[] {
  const nothing = new Uint8Array(0);
  const [a, b] = [toRootfsEntry(nothing, one), toRootfsEntry(nothing, other)];
  const what = fields.filter(([, of]) => of(a) !== of(b)).map(([name]) => name);
  const sameAs = ({ firstNames }: Listing, { inode }: Ext4Attributes) =>
    firstNames.get(inode) ?? key;
  const isLinkedAlike = one.type === "directory" || sameAs(left, one) === sameAs(right, other);
  return isLinkedAlike ? what : [...what, "hard links"];
}

async function differsInContent(
  a: Ext4Reader,
  one: Ext4Attributes,
  b: Ext4Reader,
  other: Ext4Attributes,
  signal: AbortSignal,
): Promise<boolean> {
  // What is read from memory alone gives way to nothing: a signal would never be seen.
  await nextTurn();
  signal.throwIfAborted();
  const [left, right] = [await a.openFile(one.inode), await b.openFile(other.inode)];
  // What is a hole in both reads as zeros in both.
  for await (const run of eitherOf(a.dataRuns(one.inode), b.dataRuns(other.inode))) {
    for (let at = 0; at < run.length; at += chunkBytes) {
      signal.throwIfAborted();
      const offset = run.offset + at;
      const length = Math.min(chunkBytes, run.length - at);
      const chunks = [await left.read(offset, length), await right.read(offset, length)] as const;
      if (Buffer.compare(...chunks) !== 0) return true;
    }
  }
  return false;
}

/** What is data in either of two files, in order, none of it twice. */
async function* eitherOf(
  one: AsyncGenerator<DataRun>,
  other: AsyncGenerator<DataRun>,
): AsyncGenerator<DataRun> {
  let [left, right] = [await one.next(), await other.next()];
  let end = 0;
  while (left.done !== true || right.done !== true) {
    const takesLeft =
      right.done === true || (left.done !== true && left.value.offset <= right.value.offset);
    const run = (takesLeft ? left : right).value as DataRun;
    const start = Math.max(run.offset, end);
    end = Math.max(end, run.offset + run.length);
    if (start < end) yield { offset: start, length: end - start };
    if (takesLeft) left = await one.next();
    else right = await other.next();
  }
}

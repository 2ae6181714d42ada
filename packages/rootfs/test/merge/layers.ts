import { createHash } from "node:crypto";
import type { FileTree, NodeId } from "@box/ext4";
import {
  type LayerSource,
  type MergedLayers,
  type MergeLayersOptions,
  mergeLayers,
} from "@box/rootfs";
import { buildTar, type TarEntry } from "@box/tar";

/** An entry of a test layer. */
export interface TestEntry {
  readonly entry: TarEntry;
  readonly content?: Uint8Array;
}

const encoder = new TextEncoder();
const noBytes = new Uint8Array(0);

/** Bytes of a text; one byte for each character below U+0100 when it holds any above U+007F. */
export function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "latin1"));
}

function entry(path: string, type: TarEntry["type"], more: Partial<TarEntry> = {}): TarEntry {
  return {
    path: bytes(path),
    type,
    mode: type === "directory" ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    sizeBytes: 0,
    mtime: { seconds: 1_700_000_000, nanoseconds: 0 },
    linkPath: noBytes,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: [],
    ...more,
  };
}

export function file(
  path: string,
  content: string | Uint8Array = "",
  more: Partial<TarEntry> = {},
): TestEntry {
  const data = typeof content === "string" ? encoder.encode(content) : content;
  return { entry: entry(path, "file", { sizeBytes: data.byteLength, ...more }), content: data };
}

export function directory(path: string, more: Partial<TarEntry> = {}): TestEntry {
  return { entry: entry(path, "directory", more) };
}

export function symlink(path: string, target: string, more: Partial<TarEntry> = {}): TestEntry {
  return { entry: entry(path, "symlink", { mode: 0o777, linkPath: bytes(target), ...more }) };
}

export function hardlink(path: string, target: string): TestEntry {
  return { entry: entry(path, "hardlink", { linkPath: bytes(target) }) };
}

export function special(
  path: string,
  type: "char" | "block" | "fifo",
  deviceMajor = 0,
  deviceMinor = 0,
): TestEntry {
  return { entry: entry(path, type, { deviceMajor, deviceMinor }) };
}

/** The archive of a layer. */
export function archiveOf(entries: readonly TestEntry[]): Uint8Array {
  return buildTar([...entries]);
}

/** A layer whose archive comes in chunks of a given size. */
export function layerOfArchive(archive: Uint8Array, chunkBytes: number = 64 * 1024): LayerSource {
  const diffId = `sha256:${createHash("sha256").update(archive).digest("hex")}`;
  return {
    diffId,
    async *open() {
      for (let at = 0; at < archive.byteLength; at += chunkBytes) {
        yield archive.subarray(at, at + chunkBytes);
      }
    },
  };
}

export function layer(...entries: readonly TestEntry[]): LayerSource {
  return layerOfArchive(archiveOf(entries));
}

/** Merges layers, lowest first. */
export function merge(...layers: readonly LayerSource[]): Promise<MergedLayers> {
  return mergeLayers(layers);
}

export function mergeWith(
  options: MergeLayersOptions,
  ...layers: readonly LayerSource[]
): Promise<MergedLayers> {
  return mergeLayers(layers, options);
}

/** Every name of a tree in the order of paths: `path type`, with a symlink's target and a file's size. */
export function listing(tree: FileTree): string[] {
  const lines: string[] = [];
  const groups = new Map<NodeId, string>();
  for (const { path, node } of walk(tree)) {
    const type = tree.type(node);
    const first = groups.get(node);
    const { symlinkTarget, sizeBytes } = tree.attributes(node);
    if (first !== undefined) lines.push(`${path} = ${first}`);
    else if (symlinkTarget !== undefined) lines.push(`${path} -> ${text(symlinkTarget)}`);
    else if (type === "file") lines.push(`${path} ${sizeBytes}`);
    else lines.push(type === "directory" ? `${path}/` : `${path} ${type}`);
    if (first === undefined) groups.set(node, path);
  }
  return lines;
}

/** All names below the root, sorted by bytes; a directory before what it holds. */
export function walk(tree: FileTree): { readonly path: string; readonly node: NodeId }[] {
  const found: { path: string; node: NodeId }[] = [];
  const pending = [{ path: "", node: tree.root }];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    for (const { name, node } of tree.children(at.node)) {
      const child = { path: at.path === "" ? text(name) : `${at.path}/${text(name)}`, node };
      found.push(child);
      if (tree.type(node) === "directory") pending.push(child);
    }
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The node at a path. */
export function nodeAt(tree: FileTree, path: string): NodeId {
  const found = walk(tree).find((each) => each.path === path);
  if (found === undefined) throw new Error(`there is no ${path}`);
  return found.node;
}

function text(name: Uint8Array): string {
  return Buffer.from(name).toString("latin1");
}

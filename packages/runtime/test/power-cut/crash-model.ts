import { createHash } from "node:crypto";
import type { FileChange } from "./file-log.ts";

/** What a cut of the power leaves of what was not synced. */
export const losses = ["names and data", "data", "names"] as const;
export type Loss = (typeof losses)[number];

/** A file, as programs see it and as it is on the disk. */
class FileNode {
  seen: Buffer;
  stored: Buffer;

  constructor(content: Buffer) {
    this.seen = content;
    this.stored = content;
  }
}

type Node = FileNode | FolderNode;

class FolderNode {
  readonly seen = new Map<string, Node>();
  stored = new Map<string, Node>();
}

/** The files of a folder after a cut of the power; a folder is `undefined`. */
export type Tree = ReadonlyMap<string, Uint8Array | undefined>;

/**
 * Files and folders, each with what programs see and what is on the disk. Names become safe when their folder is synced, content
 * when its file is; a sync of a file makes nothing safe but its content.
 */
export class CrashModel {
  readonly #root = new FolderNode();
  readonly #folder: string;
  readonly #open = new Map<number, Node>();

  /** @param tree - What is there and safe, by path below the folder. */
  constructor(folder: string, tree: Tree) {
    this.#folder = folder;
    for (const [path, content] of tree) {
      const { parent, name } = this.#place(`${folder}/${path}`);
      const node = content === undefined ? new FolderNode() : new FileNode(Buffer.from(content));
      parent.seen.set(name, node);
      parent.stored.set(name, node);
    }
  }

  /** Does what a program did. */
  apply(change: FileChange): void {
    if (change.type === "print") return;
    if ("file" in change) this.#applyToFile(change);
    else this.#applyToName(change);
  }

  /** What the disk holds when the power is cut now. */
  after(loss: Loss): Tree {
    const tree = new Map<string, Uint8Array | undefined>();
    const walk = (folder: FolderNode, prefix: string): void => {
      for (const [name, node] of loss === "data" ? folder.seen : folder.stored) {
        const path = `${prefix}${name}`;
        if (node instanceof FileNode) tree.set(path, loss === "names" ? node.seen : node.stored);
        else {
          tree.set(path, undefined);
          walk(node, `${path}/`);
        }
      }
    };
    walk(this.#root, "");
    return tree;
  }

  #applyToFile(change: Extract<FileChange, { readonly file: number }>): void {
    if (change.type === "open") {
      const node = this.#find(change.path);
      if (node !== undefined) this.#open.set(change.file, node);
      return;
    }
    const node = this.#open.get(change.file);
    if (node instanceof FolderNode) {
      if (change.type === "sync") node.stored = new Map(node.seen);
    } else if (node !== undefined) applyToContent(node, change);
  }

  #applyToName(change: Extract<FileChange, { readonly path: string }>): void {
    const { parent, name } = this.#place(change.path);
    const node = parent.seen.get(name);
    if (change.type === "create") {
      if (node === undefined) parent.seen.set(name, new FileNode(Buffer.alloc(0)));
    } else if (change.type === "makeFolder") parent.seen.set(name, new FolderNode());
    else if (change.type === "remove") parent.seen.delete(name);
    else if ("to" in change && node !== undefined) {
      const to = this.#place(change.to);
      to.parent.seen.set(to.name, node);
      if (change.type === "rename") parent.seen.delete(name);
    }
  }

  #place(path: string): { parent: FolderNode; name: string } {
    const names = path.slice(this.#folder.length + 1).split("/");
    const name = names.pop() ?? "";
    let parent = this.#root;
    for (const one of names) {
      const next = parent.seen.get(one);
      if (!(next instanceof FolderNode)) throw new Error(`${path} has no folder`);
      parent = next;
    }
    return { parent, name };
  }

  #find(path: string): Node | undefined {
    if (path === this.#folder) return this.#root;
    const { parent, name } = this.#place(path);
    return parent.seen.get(name);
  }
}

function applyToContent(node: FileNode, change: FileChange): void {
  if (change.type === "sync") node.stored = node.seen;
  else if (change.type === "write") {
    const { bytes } = change;
    const offset = change.offset === "end" ? node.seen.byteLength : change.offset;
    // A new buffer each time: what is stored may be the one that was seen.
    const seen = Buffer.alloc(Math.max(node.seen.byteLength, offset + bytes.byteLength));
    seen.set(node.seen);
    seen.set(bytes, offset);
    node.seen = seen;
  } else if (change.type === "truncate") {
    const seen = Buffer.alloc(change.sizeBytes);
    seen.set(node.seen.subarray(0, change.sizeBytes));
    node.seen = seen;
  }
}

/** Names what a tree holds. */
export function digestOf(tree: Tree): string {
  const hash = createHash("sha256");
  for (const [path, content] of [...tree].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${path} ${content?.byteLength ?? "folder"}\n`);
    if (content !== undefined) hash.update(content);
  }
  return hash.digest("hex");
}

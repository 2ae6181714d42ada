import type { FileTree, NodeId } from "@box/ext4";
import { RootfsError } from "../errors.ts";
import { displayEntryPath, joinPath, parseEntryPath, splitPath } from "./entry-path.ts";
import type { LayerOwnership } from "./ownership.ts";
import type { PathResolver } from "./path-resolver.ts";

/** A hard link whose target was not there when it came. */
interface PendingLink {
  /** In one piece: a path can have two thousand components. */
  readonly path: Uint8Array;
  readonly target: Uint8Array;
}

/**
 * Rounds over the pending links. Each goes the other way round, so that chains in either order need one or two;
 * a chain that needs more was made to be slow.
 */
const maxRounds = 16;

/** What keeping a link takes in memory besides its two paths, or more. */
const pendingLinkBytes = 256;

/** Makes the hard links of a layer. A target may be in any layer, or come later in the same one. */
export class HardLinks {
  readonly #tree: FileTree;
  readonly #resolver: PathResolver;
  readonly #own: LayerOwnership;
  readonly #maxPendingBytes: number;
  #pending: PendingLink[] = [];
  #pendingBytes = 0;

  constructor(
    tree: FileTree,
    resolver: PathResolver,
    own: LayerOwnership,
    maxPendingBytes: number,
  ) {
    this.#tree = tree;
    this.#resolver = resolver;
    this.#own = own;
    this.#maxPendingBytes = maxPendingBytes;
  }

  /** Starts the next layer. */
  begin(): void {
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  /**
   * Gives the file at `target` the name `name` in `parent`. The last component of `target` is not followed: a link to
   * a symbolic link is one more name of that link.
   *
   * @throws RootfsError `ROOTFS_LINK_TO_DIRECTORY`, `ROOTFS_LIMIT`.
   */
  add(parents: readonly Uint8Array[], parent: NodeId, name: Uint8Array, target: Uint8Array): void {
    const existing = this.#tree.lookup(parent, name);
    const isDirectory = existing !== undefined && this.#tree.type(existing) === "directory";
    // The target may be below the directory whose place the link takes: it goes first.
    if (isDirectory && !this.#isSame(existing, target)) this.#tree.remove(parent, name);
    if (!this.#link(parent, name, target)) this.#defer(parents, name, target);
  }

  /**
   * Makes the links whose targets came after them.
   *
   * @throws RootfsError `ROOTFS_LINK_TARGET_MISSING` when a target never came.
   */
  finish(): void {
    for (let round = 0; this.#pending.length > 0 && round < maxRounds; round++) {
      const before = this.#pending.length;
      this.#pending = this.#pending.filter((link) => !this.#retry(link)).reverse();
      if (this.#pending.length === before) break;
    }
    const [left] = this.#pending;
    if (left !== undefined) throw targetMissing(left.target);
  }

  #retry({ path, target }: PendingLink): boolean {
    const parents = splitPath(path);
    const name = parents.pop() as Uint8Array;
    const parent = this.#resolver.make(parents);
    this.#own.markDirectory(parent);
    const existing = this.#tree.lookup(parent, name);
    // A later entry of the same name has won.
    if (existing !== undefined && this.#own.isOwn(parent, name, existing)) return true;
    return this.#link(parent, name, target);
  }

  #link(parent: NodeId, name: Uint8Array, target: Uint8Array): boolean {
    const node = this.#find(target);
    if (node === undefined) return false;
    if (this.#tree.type(node) === "directory") throw linkToDirectory(target);
    this.#tree.link(parent, name, node);
    this.#own.markLink(parent, name, node);
    return true;
  }

  #isSame(node: NodeId, target: Uint8Array): boolean {
    return this.#find(target) === node;
  }

  #find(target: Uint8Array): NodeId | undefined {
    const { components } = parseEntryPath(target);
    const name = components.at(-1);
    if (name === undefined) return this.#tree.root;
    const parent = this.#resolver.find(components.slice(0, -1));
    return parent === undefined ? undefined : this.#tree.lookup(parent, name);
  }

  #defer(parents: readonly Uint8Array[], name: Uint8Array, target: Uint8Array): void {
    const link = { path: joinPath([...parents, name]), target: target.slice() };
    this.#pendingBytes += link.path.byteLength + target.byteLength + pendingLinkBytes;
    if (this.#pendingBytes > this.#maxPendingBytes) {
      throw new RootfsError({
        code: "ROOTFS_LIMIT",
        message: `the layer has hard links before their targets that take more than ${this.#maxPendingBytes} bytes`,
      });
    }
    this.#pending.push(link);
  }
}

function linkToDirectory(target: Uint8Array): RootfsError {
  return new RootfsError({
    code: "ROOTFS_LINK_TO_DIRECTORY",
    message: `a hard link names the directory ${displayEntryPath(target)}`,
  });
}

function targetMissing(target: Uint8Array): RootfsError {
  return new RootfsError({
    code: "ROOTFS_LINK_TARGET_MISSING",
    message: `a hard link names ${displayEntryPath(target)}, which is not there`,
  });
}

import type { FileTree, NodeId } from "@box/ext4";
import { RootfsError } from "../errors.ts";
import { isParent, splitPath } from "./entry-path.ts";
import { maxSymlinkFollows } from "./limits.ts";

const slash = 0x2f;

/**
 * Finds directories of a tree by path. Symbolic links on the way are followed inside the tree: an absolute one counts
 * from the tree's root, and nothing leads above it.
 */
export class PathResolver {
  readonly #tree: FileTree;
  readonly #makeDirectory: (parent: NodeId, name: Uint8Array) => NodeId;
  readonly #maxFollowedBytes: number;
  #followedBytes = 0;

  /**
   * @param makeDirectory - Makes a directory that an entry needs and no layer has.
   * @param maxFollowedBytes - Bytes of targets that may be followed in all.
   */
  constructor(
    tree: FileTree,
    makeDirectory: (parent: NodeId, name: Uint8Array) => NodeId,
    maxFollowedBytes: number,
  ) {
    this.#tree = tree;
    this.#makeDirectory = makeDirectory;
    this.#maxFollowedBytes = maxFollowedBytes;
  }

  /**
   * The directory at a path, or nothing when there is none.
   *
   * @throws RootfsError `ROOTFS_SYMLINK_LOOP`, `ROOTFS_LIMIT`.
   */
  find(components: readonly Uint8Array[]): NodeId | undefined {
    return this.#walk(components, () => undefined);
  }

  /**
   * The directory at a path; what is missing of it is made.
   *
   * @throws RootfsError `ROOTFS_SYMLINK_LOOP`, `ROOTFS_PARENT_NOT_DIRECTORY`, `ROOTFS_LIMIT`.
   */
  make(components: readonly Uint8Array[]): NodeId {
    const found = this.#walk(components, (parent, name, node) => {
      if (node !== undefined) throw parentNotDirectory(name, this.#tree.type(node));
      return this.#makeDirectory(parent, name);
    });
    // Where a component is missing it is made, or that throws: the walk always arrives.
    return found as NodeId;
  }

  /** @param orElse - Asked where a component is missing, or is something that holds no names. */
  #walk(
    components: readonly Uint8Array[],
    orElse: (parent: NodeId, name: Uint8Array, node: NodeId | undefined) => NodeId | undefined,
  ): NodeId | undefined {
    const tree = this.#tree;
    const pending = components.toReversed();
    let at: NodeId = tree.root;
    let follows = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (isParent(name)) {
        at = tree.parentOf(at);
        continue;
      }
      const node = tree.lookup(at, name);
      const type = node === undefined ? undefined : tree.type(node);
      if (node !== undefined && type === "directory") {
        at = node;
      } else if (node !== undefined && type === "symlink") {
        follows += 1;
        if (follows > maxSymlinkFollows) throw symlinkLoop(name);
        const target = tree.symlinkTarget(node) ?? new Uint8Array(0);
        this.#countFollowed(target.byteLength);
        if (target[0] === slash) at = tree.root;
        for (const component of splitPath(target).toReversed()) pending.push(component);
      } else {
        const made = orElse(at, name, node);
        if (made === undefined) return undefined;
        at = made;
      }
    }
    return at;
  }

  #countFollowed(bytes: number): void {
    this.#followedBytes += bytes;
    if (this.#followedBytes <= this.#maxFollowedBytes) return;
    throw new RootfsError({
      code: "ROOTFS_LIMIT",
      message: `the way to the layers' entries leads through more than ${this.#maxFollowedBytes} bytes of symbolic links`,
      hint: "if this image is to be trusted, raise the limit in the library: MergeLimits",
    });
  }
}

function symlinkLoop(name: Uint8Array): RootfsError {
  return new RootfsError({
    code: "ROOTFS_SYMLINK_LOOP",
    message: `more than ${maxSymlinkFollows} symbolic links at ${new TextDecoder().decode(name)}`,
  });
}

function parentNotDirectory(name: Uint8Array, type: string): RootfsError {
  return new RootfsError({
    code: "ROOTFS_PARENT_NOT_DIRECTORY",
    message: `${new TextDecoder().decode(name)} is a ${type} and cannot hold files`,
  });
}

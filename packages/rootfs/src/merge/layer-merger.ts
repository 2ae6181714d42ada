import {
  type FileTree,
  isXattrName,
  type NodeAttributes,
  type NodeId,
  type NodeTime,
} from "@box/ext4";
import type { TarEntry } from "@box/tar";
import { RootfsError } from "../errors.ts";
import { ContentIndex } from "./content-index.ts";
import { DataRunFinder } from "./data-runs.ts";
import { displayEntryPath, parseEntryPath } from "./entry-path.ts";
import { HardLinks } from "./hard-links.ts";
import { hideLowerChildren, hideLowerName } from "./hide-lower.ts";
import type { MergeLimits } from "./limits.ts";
import { LayerOwnership } from "./ownership.ts";
import { PathResolver } from "./path-resolver.ts";
import { classifyEntry } from "./whiteout.ts";

/** Names that markers may look at for each entry that is allowed: far more than a layer needs that was not made to be slow. */
const looksPerEntry = 16;

/** The entry whose content passes by. */
interface CurrentFile {
  readonly node: NodeId;
  readonly sizeBytes: number;
  readonly runs: DataRunFinder;
}

/** How often something was put right, and where first. */
export interface Noted {
  /** How often. */
  count: number;
  /** The first one. */
  first: string;
}

/** Attributes of a directory that no layer lists. */
export function unlistedDirectory(mtime: NodeTime): NodeAttributes {
  return { type: "directory", mode: 0o755, uid: 0, gid: 0, mtime, xattrs: [] };
}

/**
 * Applies the entries of one layer after the other to a tree, by the whiteout rules of the OCI image specification.
 *
 * A whiteout acts when it is met, on lower layers only: what its own layer made before or makes after it stays, and so
 * do the directories above that, as in umoci 0.4.
 */
export class LayerMerger {
  /** Where the content of each file is. */
  readonly contents: ContentIndex = new ContentIndex();
  /** How many paths of the layer at work were clamped at the root, and the first of them. */
  clamped: Noted = { count: 0, first: "" };
  /** How many extended attributes of the layer at work no file system can hold, and the first of them. */
  droppedXattrs: Noted = { count: 0, first: "" };
  readonly #tree: FileTree;
  readonly #limits: MergeLimits;
  readonly #own: LayerOwnership;
  readonly #resolver: PathResolver;
  readonly #links: HardLinks;
  #layer = -1;
  #isInjected = false;
  #entry = -1;
  #entriesOfAll = 0;
  #current: CurrentFile | undefined;

  /** @param mtime - The time of directories that no layer lists. */
  constructor(tree: FileTree, limits: MergeLimits, mtime: NodeTime) {
    this.#tree = tree;
    this.#limits = limits;
    this.#own = new LayerOwnership(tree, limits.maxEntries * looksPerEntry);
    const makeDirectory = (parent: NodeId, name: Uint8Array): NodeId => {
      this.#checkNodes();
      // The way may turn back from it: then it is nowhere above what the layer lists, and a later marker removes it.
      this.#own.reopen(parent);
      return tree.add(parent, name, unlistedDirectory(mtime));
    };
    this.#resolver = new PathResolver(tree, makeDirectory, limits.maxFollowedBytes);
    this.#links = new HardLinks(tree, this.#resolver, this.#own, limits.maxPendingLinkBytes);
  }

  /** Starts the next layer. */
  begin(layer: number, isInjected = false): void {
    this.#layer = layer;
    this.#isInjected = isInjected;
    this.#entry = -1;
    this.clamped = { count: 0, first: "" };
    this.droppedXattrs = { count: 0, first: "" };
    this.#own.begin(layer);
    this.#links.begin();
  }

  /** Takes the next entry of the layer. */
  entry(entry: TarEntry): void {
    this.#finishFile();
    this.#entry += 1;
    this.#entriesOfAll += 1;
    if (this.#entriesOfAll > this.#limits.maxEntries) {
      throw limit(`more than ${this.#limits.maxEntries} entries`);
    }
    this.#checkPath(entry.path);
    const { components, isClamped } = parseEntryPath(entry.path);
    if (isClamped) note(this.clamped, entry.path);
    const name = components.at(-1);
    if (name === undefined) this.#applyRoot(entry);
    else this.#apply(entry, components, name);
  }

  /** Takes content of the entry last given. */
  data(chunk: Uint8Array, fileOffset: number): void {
    this.#current?.runs.add(fileOffset, chunk);
  }

  /** Ends the layer: links whose targets came after them are made now. */
  end(): void {
    this.#finishFile();
    this.#links.finish();
  }

  #apply(entry: TarEntry, components: readonly Uint8Array[], name: Uint8Array): void {
    const meaning = classifyEntry(components);
    const parents = components.slice(0, -1);
    switch (meaning.type) {
      case "skipped":
        return;
      case "invalid":
        throw new RootfsError({
          code: "ROOTFS_WHITEOUT_INVALID",
          message: "a whiteout must name a file",
        });
      case "whiteout":
      case "opaque": {
        const parent = this.#resolver.find(parents);
        if (parent === undefined) return;
        if (meaning.type === "opaque") hideLowerChildren(this.#tree, this.#own, parent);
        else hideLowerName(this.#tree, this.#own, parent, meaning.name);
        return;
      }
      case "file":
        this.#applyFile(entry, parents, name);
    }
  }

  #applyFile(entry: TarEntry, parents: readonly Uint8Array[], name: Uint8Array): void {
    const parent = this.#resolver.make(parents);
    this.#own.markDirectory(parent);
    if (entry.type === "hardlink") {
      this.#checkPath(entry.linkPath);
      this.#links.add(parents, parent, name, entry.linkPath);
      return;
    }
    const attributes = this.#attributesOf(entry, entry.type);
    const existing = this.#tree.lookup(parent, name);
    const isListedAgain =
      entry.type === "directory" &&
      existing !== undefined &&
      this.#tree.type(existing) === "directory";
    if (isListedAgain) {
      this.#tree.setAttributes(existing, attributes);
      this.#own.markDirectory(existing);
      return;
    }
    if (this.#isInjected && existing !== undefined) this.#checkReplaceable(existing);
    this.#checkNodes();
    const node = this.#tree.add(parent, name, attributes);
    this.#own.markFile(node);
    if (entry.type === "file" && entry.sizeBytes > 0) this.#beginFile(node, entry.sizeBytes);
  }

  #applyRoot(entry: TarEntry): void {
    if (entry.type !== "directory") {
      throw new RootfsError({
        code: "ROOTFS_ROOT_NOT_DIRECTORY",
        message: `the root cannot become a ${entry.type}`,
      });
    }
    this.#tree.setAttributes(this.#tree.root, this.#attributesOf(entry, "directory"));
  }

  /** Everything of an entry but attributes outside the namespaces of Linux, such as those of macOS. */
  #attributesOf(entry: TarEntry, type: NodeAttributes["type"]): NodeAttributes {
    const attributes = attributesOf(entry, type);
    if (entry.xattrs.every(({ name }) => isXattrName(name))) return attributes;
    for (const { name } of entry.xattrs) {
      if (!isXattrName(name)) note(this.droppedXattrs, name);
    }
    return { ...attributes, xattrs: entry.xattrs.filter(({ name }) => isXattrName(name)) };
  }

  #beginFile(node: NodeId, sizeBytes: number): void {
    this.contents.set(node, this.#layer, this.#entry);
    this.#current = { node, sizeBytes, runs: new DataRunFinder(sizeBytes) };
  }

  #finishFile(): void {
    if (this.#current === undefined) return;
    const { node, sizeBytes, runs } = this.#current;
    this.#current = undefined;
    const found = runs.finish();
    if (found !== undefined) this.#tree.setFileData(node, sizeBytes, found);
  }

  #checkReplaceable(existing: NodeId): void {
    if (this.#tree.type(existing) !== "directory") return;
    throw new RootfsError({
      code: "ROOTFS_INJECTED_ON_FOLDER",
      message: "a file that is injected would replace a folder of the image, and all that it holds",
      hint: "inject it under a name in that folder",
    });
  }

  #checkPath(path: Uint8Array): void {
    const { maxPathBytes } = this.#limits;
    if (path.byteLength > maxPathBytes) throw limit(`a path of more than ${maxPathBytes} bytes`);
  }

  #checkNodes(): void {
    const { maxNodes } = this.#limits;
    if (this.#tree.nodeLimit >= maxNodes) throw limit(`more than ${maxNodes} files`);
  }
}

function note(noted: Noted, name: Uint8Array): void {
  if (noted.count === 0) noted.first = displayEntryPath(name);
  noted.count += 1;
}

function attributesOf(entry: TarEntry, type: NodeAttributes["type"]): NodeAttributes {
  const { mode, uid, gid, mtime, xattrs } = entry;
  return {
    type,
    mode,
    uid,
    gid,
    mtime,
    xattrs,
    ...(type === "file" ? { sizeBytes: entry.sizeBytes } : {}),
    ...(type === "symlink" ? { symlinkTarget: entry.linkPath } : {}),
    ...(type === "char" || type === "block"
      ? { deviceMajor: entry.deviceMajor, deviceMinor: entry.deviceMinor }
      : {}),
  };
}

function limit(what: string): RootfsError {
  return new RootfsError({
    code: "ROOTFS_LIMIT",
    message: `the layers have ${what}`,
    hint: "if this image is to be trusted, raise the limit in the library: MergeLimits",
  });
}

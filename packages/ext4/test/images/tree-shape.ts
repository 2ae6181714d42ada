import type { Ext4Reader, FileTree, NodeAttributes, NodeId } from "@box/ext4";

/** What is compared of one path: everything that a tree knows, and which paths are the same file. */
export interface PathShape {
  readonly attributes: Omit<NodeAttributes, "dataRuns">;
  readonly links: number;
  readonly content?: string;
  /** The first path of the same file. */
  readonly sameAs: string;
}

type Shape = Record<string, PathShape>;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const digestOf = (bytes: Uint8Array): string => `${bytes.byteLength}:${sumOf(bytes)}`;

/** A short sum of bytes, enough to tell contents apart. */
function sumOf(bytes: Uint8Array): number {
  let hash = 17;
  for (const byte of bytes) hash = (Math.imul(hash, 31) + byte) | 0;
  return hash;
}

/** Every path of a tree with what it names. */
export function shapeOfTree(tree: FileTree, contents: ReadonlyMap<NodeId, Uint8Array>): Shape {
  const shape: Shape = {};
  const first = new Map<NodeId, string>();
  const visit = (node: NodeId, path: string): void => {
    const { dataRuns: _, ...attributes } = tree.attributes(node);
    const isDirectory = attributes.type === "directory";
    const names = [...tree.children(isDirectory ? node : tree.root)];
    const subdirectories = names.filter((child) => tree.type(child.node) === "directory").length;
    const lost =
      node === tree.root && !names.some(({ name }) => hex(name) === "lost+found") ? 1 : 0;
    if (!first.has(node)) first.set(node, path);
    shape[path] = {
      attributes,
      links: isDirectory ? 2 + subdirectories + lost : tree.linkCount(node),
      ...(attributes.type === "file"
        ? { content: digestOf(contents.get(node) ?? new Uint8Array(tree.sizeBytes(node))) }
        : {}),
      sameAs: first.get(node) as string,
    };
    if (!isDirectory) return;
    const sorted = names.sort((a, b) => Buffer.compare(a.name, b.name));
    for (const { name, node: child } of sorted) visit(child, `${path}/${hex(name)}`);
  };
  visit(tree.root, "");
  return shape;
}

/** The same of an image; a lost+found that the writer added is left out. */
export async function shapeOfImage(reader: Ext4Reader, ownLostAndFound: boolean): Promise<Shape> {
  const found: [string, number][] = [["", reader.root]];
  for await (const { path, inode } of reader.walk()) found.push([`/${hex(path)}`, inode]);
  found.sort(([a], [b]) => comparePaths(a, b));
  const shape: Shape = {};
  const first = new Map<number, string>();
  for (const [path, inode] of found) {
    if (path === "/lost+found" && !ownLostAndFound) continue;
    if (!first.has(inode)) first.set(inode, path);
    const all = await reader.attributes(inode);
    const { inode: _, links, sizeBytes, ctime: _c, atime: _a, ...attributes } = all;
    const isFile = attributes.type === "file";
    shape[path] = {
      attributes: { ...attributes, ...(isFile ? { sizeBytes } : {}) } as PathShape["attributes"],
      links,
      ...(isFile ? { content: digestOf(await reader.readFile(inode)) } : {}),
      sameAs: first.get(inode) as string,
    };
  }
  return shape;
}

function comparePaths(a: string, b: string): number {
  const one = a.split("/");
  const other = b.split("/");
  for (const [i, name] of one.entries()) {
    const match = other[i];
    if (match === undefined) return 1;
    if (name !== match) return name < match ? -1 : 1;
  }
  return one.length - other.length;
}

import {
  type Ext4Plan,
  type FileTree,
  type NodeId,
  type PlanExt4Options,
  planExt4,
  writeExt4,
} from "@box/ext4";
import { MemoryFile, type RandomAccess } from "@box/io";

/** The content of files, by node. */
export type Contents = ReadonlyMap<NodeId, Uint8Array>;

/** Plans a tree and writes it with the content of its files. */
export async function writeImage(
  tree: FileTree,
  sink: RandomAccess,
  options: PlanExt4Options = {},
  contents: Contents = new Map(),
): Promise<Ext4Plan> {
  const plan = planExt4(tree, options);
  await writeExt4(plan, sink);
  for (const [node, content] of contents) {
    for (const { fileOffset, imageOffset, length } of plan.extents(node)) {
      await sink.write?.(imageOffset, content.subarray(fileOffset, fileOffset + length));
    }
  }
  return plan;
}

/** The bytes of a small image. */
export async function imageBytes(
  tree: FileTree,
  options: PlanExt4Options = {},
  contents: Contents = new Map(),
): Promise<Uint8Array> {
  const file = new MemoryFile();
  await writeImage(tree, file, options, contents);
  return file.toBytes();
}

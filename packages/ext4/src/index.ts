export { Ext4Error, type Ext4ErrorCode, type Ext4ErrorOptions, ext4ErrorKinds } from "./errors.ts";
export { type ContentExtent, Ext4Plan, planExt4 } from "./plan/ext4-plan.ts";
export type { PlanExt4Options } from "./plan/options.ts";
export type {
  DataRun,
  NodeAttributes,
  NodeTime,
  NodeType,
  NodeXattr,
} from "./tree/attributes.ts";
export { FileTree, type FileTreeOptions, type NodeId, type TreeChild } from "./tree/file-tree.ts";
export type { HashKey } from "./tree/name-hash.ts";
export { type WriteExt4Options, writeExt4 } from "./write/write-ext4.ts";

export { Ext4Error, type Ext4ErrorCode, type Ext4ErrorOptions, ext4ErrorKinds } from "./errors.ts";
export { type ContentExtent, Ext4Plan, planExt4 } from "./plan/ext4-plan.ts";
export type { PlanExt4Options } from "./plan/options.ts";
export type { Ext4DirectoryEntry } from "./read/directory-reader.ts";
export {
  type Ext4Attributes,
  Ext4Reader,
  type Ext4Summary,
  type Ext4WalkEntry,
  type ReadExt4Options,
  readExt4,
} from "./read/ext4-reader.ts";
export {
  type Ext4Finding,
  type VerifyExt4Options,
  type VerifyExt4Report,
  verifyExt4,
} from "./read/verify-ext4.ts";
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
export { isXattrName } from "./xattr/xattr-name.ts";

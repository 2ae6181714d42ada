export { bootCalls } from "./boot-calls.ts";
export {
  CallBatch,
  type CallName,
  type CallOptions,
  callNames,
  type SentCall,
  type Word,
} from "./call-batch.ts";
export { CallFailure } from "./call-failure.ts";
export { Caller, type CallResult, type CallStream } from "./caller.ts";
export {
  type MountedGuest,
  type MountRequest,
  type MountWarning,
  mountGuest,
} from "./guest-mount.ts";
export { type GuestUser, readUserFiles, resolveUser, type UserFiles } from "./guest-users.ts";
export { readStats } from "./read-stats.ts";
export { type ReadTreeOptions, readTree } from "./tree-reader.ts";
export { TreeWriter, type WriteTreeOptions } from "./tree-writer.ts";

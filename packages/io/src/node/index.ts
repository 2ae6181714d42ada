export { type CopyFileDurablyOptions, copyFileDurably } from "./copy-file.ts";
export { type DirectChoice, pageAlignedBytes } from "./direct-transfers.ts";
export {
  type CreateFileDurablyOptions,
  createFileDurably,
  type DurableOptions,
  ensureDirectory,
  removeFileDurably,
  renameDurably,
  syncDirectory,
  writeFileDurably,
} from "./durable.ts";
export { isLocked, type ReadFileLocks, readFileLocks } from "./file-locks.ts";
export type { FileFacts, FilePath, FileSystem, FileSystemHandle } from "./file-system.ts";
export { displayPath, errnoOf, type FailedAction, toIoError } from "./io-error.ts";
export {
  type AcquireLockOptions,
  acquireLock,
  acquireLockIfFree,
  type Lock,
  type LockHolder,
} from "./lock.ts";
export { nodeFileSystem } from "./node-file-system.ts";
export { type FileSystemOperation, observeFileSystem } from "./observed-file-system.ts";
export { fileOn, type OpenFileOptions, openFile } from "./open-file.ts";
export {
  identityOfProcess,
  isProcessAlive,
  type ProcessIdentity,
  processIdentity,
} from "./process-identity.ts";
export {
  type RemoveDeadTemporariesOptions,
  removeDeadTemporaries,
  temporaryPathFor,
} from "./temporary.ts";

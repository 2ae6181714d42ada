export { BlobFile } from "./blob-file.ts";
export { IoError, type IoErrorCode, type IoErrorOptions, ioErrorKinds } from "./errors.ts";
export { MemoryFile } from "./memory-file.ts";
export { type FileOperation, observeFile } from "./observed-file.ts";
export type { OpenFile, RandomAccess } from "./random-access.ts";

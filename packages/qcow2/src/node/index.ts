export { IoError, type IoErrorCode, type IoErrorOptions, type OpenFile } from "@box/io";
export type { FilePath, OpenFileOptions } from "@box/io/node";
export { blockingNodeCodec, nodeCodec } from "./node-codec.ts";
export { type OpenImageFileOptions, openImageFile } from "./open-image-file.ts";
export { withinDirectory } from "./within-directory.ts";
export {
  type OpenWorkerCodecOptions,
  openWorkerCodec,
  type WorkerCodec,
} from "./worker-codec.ts";
export { openFile } from "./written-files.ts";

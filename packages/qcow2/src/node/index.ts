export { blockingNodeCodec, nodeCodec } from "./node-codec.ts";
export { type OpenImageFileOptions, openImageFile } from "./open-image-file.ts";
export { withinDirectory } from "./within-directory.ts";
export {
  type OpenWorkerCodecOptions,
  openWorkerCodec,
  type WorkerCodec,
} from "./worker-codec.ts";

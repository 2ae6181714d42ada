export type { ArchiveFormat } from "@box/oras";
export type { ArchiveInput } from "./archive/plain-archive.ts";
export type { WriteArchiveOptions } from "./archive/write-archive.ts";
export {
  ImageError,
  type ImageErrorCode,
  type ImageErrorOptions,
  imageErrorKinds,
} from "./errors.ts";
export { type HistoryEntry, type ImageConfig, parseImageConfig } from "./image/config.ts";
export {
  defaultImageLimits,
  type Image,
  type ImageLayer,
  type ImageLimits,
} from "./image/image.ts";
export {
  defaultLayerLimits,
  type LayerLimits,
  type OpenLayerOptions,
  openLayer,
} from "./layer/open-layer.ts";
export {
  formatPlatform,
  normalizePlatform,
  parsePlatform,
  platformOfArch,
} from "./platform/platform.ts";
export { type RankPlatformOptions, rankPlatform } from "./platform/rank.ts";
export {
  formatImageReference,
  type ImageReference,
  parseImageReference,
} from "./reference/image-reference.ts";
export { parseVerificationKey, type VerificationKey } from "./signature/verification-key.ts";
export type { CollectedGarbage, CollectGarbageOptions, Leases } from "./store/collect-garbage.ts";
export type { PullEvent } from "./store/events.ts";
export type { RegistrySettings } from "./store/image-source.ts";
export { ImageStore } from "./store/image-store.ts";
export type {
  GetImageOptions,
  ImageStoreOptions,
  ImportOptions,
  PullOptions,
  PullPolicy,
  PushedImage,
  PushOptions,
  StoredReference,
} from "./store/image-store-options.ts";
export type { BlobFinding, VerifyBlobsOptions } from "./store/verify-store.ts";

export type { RandomAccess } from "@box/io";
export { amendImage } from "./amend/amend-image.ts";
export type { AmendImageOptions } from "./amend/amend-options.ts";
export type { AddBitmapOptions } from "./bitmaps/bitmap-changes.ts";
export type { DirtyRange } from "./bitmaps/read-bitmap.ts";
export { blobSource } from "./bytes/blob-source.ts";
export { findByName } from "./bytes/name-index.ts";
export { openImage } from "./chain/open-image.ts";
export type { ImageLimits, OpenImageOptions } from "./chain/open-options.ts";
export {
  type AllowedFile,
  allowList,
  denyAll,
  type FileRequest,
  type FileResolver,
  type ResolvedFile,
} from "./chain/resolver.ts";
export {
  type CheckCounters,
  type CheckReport,
  checkImage,
} from "./check/check-image.ts";
export type { CheckImageOptions } from "./check/check-options.ts";
export {
  type CheckStructureOptions,
  checkStructure,
  type StructureReport,
} from "./check/check-structure.ts";
export type { Finding } from "./check/finding.ts";
export { toQemuCheck } from "./check/to-qemu-check.ts";
export type { Codec, CompressionType, DecompressOptions } from "./codec/codec.ts";
export { portableCodec } from "./codec/portable-codec.ts";
export { type CommitImageOptions, type CommitReport, commitImage } from "./commit/commit-image.ts";
export {
  type CompareImagesOptions,
  compareImages,
  type ImageComparison,
} from "./compare/compare-images.ts";
export { type ConvertImageOptions, convertImage } from "./convert/convert-image.ts";
export { createImage } from "./create/create-image.ts";
export type { CreateImageOptions, DataFileReference } from "./create/create-options.ts";
export type { BackingReference } from "./create/header-cluster.ts";
export { type CreateOverlayOptions, createOverlay, overlayBytes } from "./create/overlay.ts";
export type { Bitmap, ImageDescription, Snapshot } from "./describe/describe.ts";
export { type DescribeImageOptions, describeImage } from "./describe/describe-image.ts";
export {
  type SafetyCheckOptions,
  type SafetyViolation,
  type SafetyViolationCode,
  safetyCheck,
} from "./describe/safety-check.ts";
export { type QemuInfoOptions, type QemuJson, toQemuInfo } from "./describe/to-qemu-info.ts";
export { type QemuMapEntry, toQemuMap } from "./describe/to-qemu-map.ts";
export {
  Qcow2Error,
  type Qcow2ErrorCode,
  type Qcow2ErrorOptions,
  type Qcow2Structure,
  qcow2ErrorHints,
  qcow2ErrorKinds,
} from "./errors.ts";
export type { BitmapDirectoryInfo, FileRange } from "./extensions/contents.ts";
export type { HeaderExtension } from "./extensions/parse.ts";
export type { FeatureKind, FeatureName } from "./header/features.ts";
export { type MergeBitmapOptions, Qcow2Image } from "./image.ts";
export type {
  BackingInfo,
  DataFileInfo,
  FeatureInfo,
  ImageInfo,
  TableInfo,
} from "./inspect/image-info.ts";
export { type InspectImageOptions, inspectImage } from "./inspect/inspect-image.ts";
export type { Compat } from "./inspect/read-header.ts";
export type { LuksDescription, LuksSlotDescription } from "./luks/describe.ts";
export {
  type ImageMeasure,
  type MeasureImageOptions,
  type MeasureOptions,
  measureDisk,
  measureImage,
} from "./measure/measure-image.ts";
export { toQemuMeasure } from "./measure/to-qemu-measure.ts";
export type { Extent, ExtentsOptions } from "./read/disk-layer.ts";
export type { RunKind } from "./read/run.ts";
export {
  type RebaseImageOptions,
  type RebaseReport,
  rebaseImage,
} from "./rebase/rebase-image.ts";
export { countUsedClusters } from "./refcount/count-used.ts";
export type { CreateSnapshotOptions } from "./snapshots/snapshot-changes.ts";
export type { ResizeOptions } from "./write/resize.ts";

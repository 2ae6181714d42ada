export type { RandomAccess } from "@box/io";
export {
  type CheckStructureOptions,
  checkStructure,
  type StructureReport,
} from "./check/check-structure.ts";
export { type CreateOverlayOptions, createOverlay, overlayBytes } from "./create/overlay.ts";
export {
  Qcow2Error,
  type Qcow2ErrorCode,
  type Qcow2ErrorOptions,
  type Qcow2Structure,
  qcow2ErrorKinds,
} from "./errors.ts";
export type { BitmapDirectoryInfo, FileRange } from "./extensions/contents.ts";
export type { HeaderExtension } from "./extensions/parse.ts";
export type { FeatureKind, FeatureName } from "./header/features.ts";
export type {
  BackingInfo,
  DataFileInfo,
  FeatureInfo,
  ImageInfo,
  TableInfo,
} from "./inspect/image-info.ts";
export { type InspectImageOptions, inspectImage } from "./inspect/inspect-image.ts";
export type { Compat } from "./inspect/read-header.ts";

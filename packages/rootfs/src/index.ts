export type { ReadFileLocks } from "@box/io/node";
export { adoptedBaseKey } from "./base/adopted-base-key.ts";
export {
  BaseCache,
  type BaseCacheOptions,
  type BaseDisk,
  type EnsureBaseOptions,
  type FindSoundOptions,
} from "./base/base-cache.ts";
export type { BaseEvent } from "./base/base-events.ts";
export type { BaseRecord } from "./base/base-record.ts";
export type { BaseStamp } from "./base/base-stamp.ts";
export { digestOf } from "./base/content-digest.ts";
export {
  type BuildProgress,
  type BuildRootfsOptions,
  type BuiltRootfs,
  buildRootfs,
  type RootfsSink,
} from "./build/build-rootfs.ts";
export type { InjectedFile } from "./build/injected-layer.ts";
export type { ScratchSpace } from "./build/layer-spool.ts";
export {
  type RecordedRecipe,
  type ResolvedRecipe,
  type RootfsOptions,
  type RootfsRecipe,
  resolveRecipe,
} from "./build/recipe.ts";
export { RootfsError, type RootfsErrorCode, rootfsErrorKinds } from "./errors.ts";
export { bootstrapGuestImage } from "./guest/bootstrap-image.ts";
export { type EnvironmentEntry, splitEnvironment } from "./guest/environment.ts";
export {
  type BootFiles,
  type GuestImage,
  type GuestRootfs,
  type GuestRootfsStrategy,
  initialiseGuestRootfs,
} from "./guest/guest-rootfs.ts";
export { guestImageOf, layersOfImage } from "./image/image-layers.ts";
export type { LayerContents } from "./merge/content-index.ts";
export type { LayerSource, OpenLayerSourceOptions } from "./merge/layer-source.ts";
export { defaultMergeLimits, type MergeLimits } from "./merge/limits.ts";
export {
  type MergedLayers,
  type MergeLayersOptions,
  mergeLayers,
} from "./merge/merge-layers.ts";
export type { RootfsWarning } from "./merge/warning.ts";
export type { OverlayBase } from "./overlay/create-on-base.ts";
export { decide, type OverlayAction, type OverlayRefusalCode } from "./overlay/decide.ts";
export { describeDecisionTable } from "./overlay/describe-decision-table.ts";
export type { OverlayEvent, OverlayEventName } from "./overlay/events.ts";
export {
  type BaseState,
  baseStates,
  type DiskRole,
  diskRoles,
  everyOverlayFacts,
  type OverlayFacts,
  type OverlayPolicy,
  type OverlayState,
  overlayStates,
  type RecordState,
  recordStates,
} from "./overlay/facts.ts";
export {
  type BaseFinding,
  type IsBaseSound,
  judgeBase,
  type WantedBase,
} from "./overlay/judge-base.ts";
export {
  type MadeOverlay,
  type RemoveMadeOverlayOptions,
  removeMadeOverlay,
} from "./overlay/made-overlay.ts";
export type { OverlayFinding, OverlayLimits } from "./overlay/overlay-finding.ts";
export {
  type PreparedOverlay,
  type PrepareOverlayOptions,
  prepareOverlay,
} from "./overlay/prepare.ts";
export {
  type OverlayReading,
  type ReadOverlayFactsOptions,
  readOverlayFacts,
} from "./overlay/read-facts.ts";
export type { OverlayRecord, RecordedBase } from "./overlay/record.ts";

export { RootfsError, type RootfsErrorCode, rootfsErrorKinds } from "./errors.ts";
export type { LayerContents } from "./merge/content-index.ts";
export type { LayerSource } from "./merge/layer-source.ts";
export { defaultMergeLimits, type MergeLimits } from "./merge/limits.ts";
export {
  type MergedLayers,
  type MergeLayersOptions,
  type MergeWarning,
  mergeLayers,
} from "./merge/merge-layers.ts";
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
export type { ReadFileLocks } from "./overlay/file-locks.ts";
export type { BaseFinding } from "./overlay/judge-base.ts";
export type { OverlayFinding, OverlayLimits } from "./overlay/judge-overlay.ts";
export {
  type MadeOverlay,
  type RemoveMadeOverlayOptions,
  removeMadeOverlay,
} from "./overlay/made-overlay.ts";
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

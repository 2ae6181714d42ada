export { RootfsError, type RootfsErrorCode, rootfsErrorKinds } from "./errors.ts";
export { decide, type OverlayAction, type OverlayRefusalCode } from "./overlay/decide.ts";
export { describeDecisionTable } from "./overlay/describe-decision-table.ts";
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

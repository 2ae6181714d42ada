export type { WrittenArchive } from "./archive/export-box.ts";
export type { ImportedBox } from "./archive/import-box.ts";
export type {
  BoxDetails,
  BoxRecord,
  BoxSummary,
  DiskBase,
  DiskDetails,
  DiskRecord,
  GuestRootfsChoice,
  GuestRootfsRecord,
  ImageConfig,
} from "./boxes/box.ts";
export type {
  ChangeBoxOptions,
  ChangedBox,
  CloneBoxOptions,
  CreateBoxOptions,
  ExportBoxOptions,
  ImportBoxOptions,
  ListBoxesOptions,
  LockOptions,
  PrepareBoxOptions,
  PreparedBox,
  RemoveBoxOptions,
  RemovedBox,
  RestoreBoxOptions,
  RestoredBox,
} from "./boxes/box-options.ts";
export { Boxes, type ChangedSnapshot } from "./boxes/boxes.ts";
export type { ClonedBox } from "./boxes/clone-box.ts";
export type { LabelFilter, Labels } from "./boxes/labels.ts";
export { checkBoxName } from "./boxes/name.ts";
export { programWords } from "./boxes/program-words.ts";
export {
  formatRestartPolicy,
  parseRestartPolicy,
  type RestartPolicy,
  type RunSettings,
} from "./boxes/run-settings.ts";
export { type BoxState, boxStates, legalMoves } from "./boxes/states.ts";
export type { DiskSizes } from "./disks/resize-disk.ts";
export type { BoxSnapshot } from "./disks/snapshots.ts";
export { RuntimeError, type RuntimeErrorCode, runtimeErrorKinds } from "./errors.ts";
export type {
  BoxChangeEvent,
  BoxChangeName,
  BoxEvent,
  BoxEventStamp,
  BoxOwnEvent,
} from "./events.ts";
export type { FileEvent, FileRecord } from "./files/file-event.ts";
export { filesToTar } from "./files/files-to-tar.ts";
export { type TarToFilesOptions, tarToFiles } from "./files/tar-to-files.ts";
export type { FileSystemType } from "./home/file-system-type.ts";
export type { BoxLayout, HomeLayout } from "./home/layout.ts";
export { homeFormat, type OpenHomeOptions } from "./home/open-home.ts";
export { type InitInputs, type InitTasks, type InitValues, initPlan } from "./init/init-plan.ts";
export {
  boxKey,
  containerRootfsKey,
  guestRootfsKey,
  type InitPolicy,
  layoutKey,
  type PreparedContainerRootfs,
  type PreparedDisk,
  type PreparedGuestRootfs,
  policyKey,
} from "./init/keys.ts";
export { BoxMachines } from "./machines/box-machines.ts";
export type {
  BoxExecRequest,
  BoxLogsOptions,
  EndedBox,
  KillBoxOptions,
  KilledBox,
  ReadFilesOptions,
  RestartBoxOptions,
  StartBoxOptions,
  StartedBox,
  StopBoxOptions,
  StoppedBox,
  WriteFilesOptions,
} from "./machines/machine-options.ts";
export type { OrphanMachine } from "./machines/settle-stale.ts";
export {
  type OperationKind,
  type OperationState,
  type OperationSummary,
  operationKinds,
  operationStates,
} from "./operations/operation.ts";
export { type FollowOptions, Operations } from "./operations/operations.ts";
export type { OperationOptions } from "./operations/run-operation.ts";
export type { LostBaseState, RestoredBase } from "./restore/restore-bases.ts";
export { type OpenRuntimeOptions, Runtime } from "./runtime.ts";
export type {
  ImageRequest,
  ImageSource,
  PullPolicy,
  Reporter,
  SourceImage,
} from "./source/image-source.ts";
export type { ImageOptions } from "./source/store-images.ts";
export { type WholeImageOptions, withWholeImage } from "./source/with-whole-image.ts";
export type {
  KeptItem,
  PrunedItem,
  PrunedKind,
  PruneOptions,
  PruneReport,
} from "./storage/prune-report.ts";
export { Storage } from "./storage/storage.ts";
export type { StorageUsage, Usage, UsageGroup, UsageItem } from "./storage/usage.ts";

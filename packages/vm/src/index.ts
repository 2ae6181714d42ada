export type { Engine, EngineCallOptions, EngineReport, MachineStatus } from "./engine.ts";
export { VmError, type VmErrorCode, vmErrorHints, vmErrorKinds } from "./errors.ts";
export type {
  EnvironmentEntry,
  ExecExit,
  ExecInput,
  ExecProcess,
  ExecRequest,
  TerminalSize,
} from "./exec.ts";
export type {
  GuestInfo,
  GuestInit,
  Machine,
  MachineCallOptions,
  MachineEvent,
  MachineExit,
  MachineExitReason,
  ProgramRequest,
  StopMachineOptions,
  StopReport,
  StopStep,
} from "./machine.ts";
export { type MachineLogName, type ReadMachineLogOptions, readMachineLog } from "./machine-log.ts";
export {
  isMachineAlive,
  isOfEarlierBoot,
  type MachineRecord,
  parseMachineRecord,
} from "./machine-record.ts";
export {
  checkMachineSpec,
  diskSerials,
  type MachineDisk,
  type MachineDiskBacking,
  type MachineNetwork,
  type MachineSpec,
} from "./machine-spec.ts";
export type { OpenPortForward, PortForward } from "./ports.ts";
export type { MachineStats } from "./stats.ts";
export type { GuestStream, StreamRequest } from "./streams.ts";

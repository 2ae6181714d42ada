export {
  type FoundQemu,
  findQemu,
  isNewEnough,
  oldestQemu,
  parseQemuVersion,
  readQemuVersion,
} from "./find-qemu.ts";
export {
  type Accelerator,
  type BootFiles,
  kernelCommandLine,
  type MachineArgumentsOptions,
  type MachineDescriptors,
  machineArguments,
} from "./machine-arguments.ts";
export { QmpClient, type QmpClientOptions, QmpError, type QmpFailure } from "./qmp/qmp-client.ts";
export type { QmpEvent } from "./qmp/qmp-messages.ts";

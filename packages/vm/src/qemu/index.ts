export type { AcceleratorChoice } from "./accelerator/choose-accelerator.ts";
export {
  type FoundQemu,
  findProgram,
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
export { type BootOptions, QemuEngine, type QemuEngineOptions } from "./qemu-engine.ts";
export { QmpClient, type QmpClientOptions, QmpError, type QmpFailure } from "./qmp/qmp-client.ts";
export type { QmpEvent } from "./qmp/qmp-messages.ts";
export { frugalNode, ownSupervisor, type SupervisorProgram } from "./start-supervisor.ts";
export { runSupervisor } from "./supervisor/run-supervisor.ts";
export { type KeptTemplate, listTemplates, removeTemplates } from "./template/template-folder.ts";

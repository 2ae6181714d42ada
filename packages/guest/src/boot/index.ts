export type { AgentBinary } from "../agent/agent-files.ts";
export { type CompileAgentOptions, compileAgent } from "../agent/compile-agent.ts";
export { ensureAgent } from "../agent/ensure-agent.ts";
export {
  type AssembleInitramfsOptions,
  assembleInitramfs,
  type KernelModule,
} from "../initramfs/assemble-initramfs.ts";
export { extractVmlinux } from "../kernel/extract-vmlinux.ts";
export { type FindKernelOptions, findKernel, type KernelFiles } from "../kernel/find-kernel.ts";
export {
  fetchKernel,
  type UnpackKernelOptions,
  unpackKernelPackage,
} from "../kernel/kernel-package.ts";
export { guestModules, type ModuleNames, readModules } from "../kernel/resolve-modules.ts";
export {
  type BootFiles,
  type EnsureBootFilesOptions,
  ensureBootFiles,
} from "./ensure-boot-files.ts";

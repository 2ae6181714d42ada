export { engineContract } from "./contract/engine-contract.ts";
export type { ContractCase, ContractCommands, ContractSubject } from "./contract/subject.ts";
export type { EngineStep } from "./engine-step.ts";
export { type GuestProgram, guestPrograms, type ProgramContext } from "./guest-programs.ts";
export { InProcessEngine, type InProcessEngineOptions } from "./in-process-engine.ts";

import { definePlan, type StagedPlan } from "@box/pipeline";
import type { Engine } from "@box/vm";
import type { BoxServices } from "../boxes/recorded-work.ts";
import type { BoxOwnEvent } from "../events.ts";
import type { InitInputs, InitTasks, InitValues } from "../init/init-plan.ts";
import { boxKey, policyKey } from "../init/keys.ts";
import { guestConnect, guestInit, vmmAttach } from "./guest-tasks.ts";
import type { connectedKey, machineKey } from "./machine-keys.ts";
import { type MachineStart, vmmSpawn } from "./vmm-spawn.ts";
import { type StopChoice, vmmStop } from "./vmm-stop.ts";

/** What running a box gives. */
export type StartValues = InitValues | typeof machineKey | typeof connectedKey;

/** What reaching a running box gives. */
export type AttachValues = typeof boxKey | typeof machineKey | typeof connectedKey;

/** What starts machines. */
export interface StartServices extends BoxServices {
  /** The tasks of the init pipeline. */
  readonly tasks: InitTasks;
}

/** The whole init pipeline: folders, both disks side by side, the machine, its guest. */
export function startPlan(
  services: StartServices,
  engine: Engine,
  how: MachineStart,
): StagedPlan<InitInputs, StartValues, BoxOwnEvent> {
  const { tasks } = services;
  return definePlan({ name: "start", inputs: [boxKey, policyKey] })
    .stage([tasks.filesystemSetup])
    .stage([tasks.containerRootfsPrep, tasks.guestRootfsInit])
    .stage([vmmSpawn(services, engine, how)])
    .stage([guestConnect()])
    .stage([guestInit(services)]);
}

/** The same for a box that runs, with its end before. */
export function restartPlan(
  services: StartServices,
  engine: Engine,
  choice: StopChoice & MachineStart,
): StagedPlan<InitInputs, StartValues, BoxOwnEvent> {
  const { tasks } = services;
  return definePlan({ name: "restart", inputs: [boxKey, policyKey] })
    .stage([vmmStop(services, engine, choice)])
    .stage([tasks.filesystemSetup])
    .stage([tasks.containerRootfsPrep, tasks.guestRootfsInit])
    .stage([vmmSpawn(services, engine, { bootsAlways: choice.bootsAlways })])
    .stage([guestConnect()])
    .stage([guestInit(services)]);
}

/** Reaches a box that runs. */
export function attachPlan(
  services: BoxServices,
  engine: Engine,
): StagedPlan<typeof boxKey, AttachValues, never> {
  return definePlan({ name: "start", inputs: [boxKey] })
    .stage([vmmAttach(services, engine)])
    .stage([guestConnect()]);
}

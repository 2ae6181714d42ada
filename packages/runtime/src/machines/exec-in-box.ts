import type {
  ExecProcess,
  GuestStream,
  Machine,
  MachineStats,
  OpenPortForward,
  PortForward,
  StreamRequest,
} from "@box/vm";
import type { BoxRecord } from "../boxes/box.ts";
import type { BoxServices } from "../boxes/recorded-work.ts";
import { requireBox } from "../state/boxes-table.ts";
import { getMachine } from "../state/machines-table.ts";
import { completeRequest } from "./exec-request.ts";
import type { BoxExecRequest } from "./machine-options.ts";
import { notRunning, requireEngine } from "./require-engine.ts";

/**
 * Runs a command in a box that runs. No lock is taken: commands of any number of processes run side by side.
 *
 * @throws RuntimeError `BOX_ENGINE_MISSING`, `BOX_NOT_FOUND`, `BOX_NOT_RUNNING`; VmError `VM_*`.
 */
export async function execInBox(
  services: BoxServices,
  nameOrId: string,
  request: BoxExecRequest,
  options: { readonly signal?: AbortSignal },
): Promise<ExecProcess> {
  const { box, machine } = await connect(services, nameOrId, options);
  return machine.exec(completeRequest(box, request), options);
}

/** Opens a stream to files or to a port of a box that runs. @throws As {@link execInBox}. */
export async function openInBox(
  services: BoxServices,
  nameOrId: string,
  request: StreamRequest,
  options: { readonly signal?: AbortSignal },
): Promise<GuestStream> {
  const { machine } = await connect(services, nameOrId, options);
  return machine.open(request, options);
}

/** The streams of the program of a box that runs. @throws As {@link execInBox}. */
export async function attachToBox(
  services: BoxServices,
  nameOrId: string,
  options: { readonly signal?: AbortSignal },
): Promise<ExecProcess> {
  const { machine } = await connect(services, nameOrId, options);
  return machine.attach(options);
}

/** Forwards ports of a box that runs. @returns All that are. @throws As {@link execInBox}; VmError `VM_PORT_IN_USE`. */
export async function forwardToBox(
  services: BoxServices,
  nameOrId: string,
  forwards: readonly PortForward[],
  options: { readonly signal?: AbortSignal },
): Promise<readonly OpenPortForward[]> {
  const { machine } = await connect(services, nameOrId, options);
  return machine.forward(forwards, options);
}

/** What a box that runs uses. @throws As {@link execInBox}. */
export async function statsOfBox(
  services: BoxServices,
  nameOrId: string,
  options: { readonly signal?: AbortSignal },
): Promise<MachineStats> {
  const { machine } = await connect(services, nameOrId, options);
  return machine.stats(options);
}

async function connect(
  services: BoxServices,
  nameOrId: string,
  options: { readonly signal?: AbortSignal },
): Promise<{ readonly box: BoxRecord; readonly machine: Machine }> {
  requireEngine(services.engine);
  const box = requireBox(services.state.database, nameOrId);
  const machine = await reachMachine(services, box);
  await machine.connect(options);
  return { box, machine };
}

/** A handle on the machine of a box that runs. @throws RuntimeError `BOX_NOT_RUNNING`; VmError `VM_MACHINE_GONE`. */
export async function reachMachine(
  { engine, handles, state }: BoxServices,
  box: BoxRecord,
): Promise<Machine> {
  const record = box.state === "running" ? getMachine(state.database, box.id)?.record : undefined;
  if (record === undefined) throw notRunning(box);
  return handles.get(requireEngine(engine), record);
}

import type { ExecProcess } from "@box/vm";
import type {
  BoxExecRequest,
  EndedBox,
  RestartBoxOptions,
  StartBoxOptions,
  StartedBox,
  StopBoxOptions,
  StoppedBox,
} from "./machine-options.ts";
import type { StartServices } from "./start-plan.ts";

/**
 * What can be done with boxes that needs a machine. Without an engine all of it is `BOX_ENGINE_MISSING`, unsupported.
 *
 * What does it is loaded late: most programs make and look at boxes only.
 */
export class BoxMachines {
  readonly #services: StartServices;

  constructor(services: StartServices) {
    this.#services = services;
  }

  /**
   * Starts a box: the overlay rules judge its disks, then its machine is started and its guest made ready. A box that runs is
   * reached, also one that another process has started.
   *
   * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_IN_USE`, `BOX_MACHINE_ORPHANED`; RootfsError `OVERLAY_*`; VmError `VM_*`. The box is
   * `failed` then, what the run made is gone, and its machine too.
   */
  async start(nameOrId: string, options: StartBoxOptions = {}): Promise<StartedBox> {
    const { startBox } = await import("./start-box.ts");
    return startBox(this.#services, nameOrId, options);
  }

  /**
   * Stops a box: its guest is asked, then its machine is ended. A box with `autoRemove` is removed then. One that does not
   * run is no failure.
   *
   * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_IN_USE`; VmError `VM_STOP_FAILED`.
   */
  async stop(nameOrId: string, options: StopBoxOptions = {}): Promise<StoppedBox> {
    const { stopBox } = await import("./stop-box.ts");
    return stopBox(this.#services, nameOrId, options);
  }

  /** Stops a box when it runs and starts it, as one operation. @throws As {@link BoxMachines.start} and {@link BoxMachines.stop}. */
  async restart(nameOrId: string, options: RestartBoxOptions = {}): Promise<StartedBox> {
    const { restartBox } = await import("./start-box.ts");
    return restartBox(this.#services, nameOrId, options);
  }

  /**
   * Runs a command in a box that runs, with the environment, working folder and user of its image where the request says nothing.
   *
   * @param options - `signal` ends the command.
   * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_NOT_RUNNING`; VmError `VM_EXEC_*`, `VM_*`.
   */
  async exec(
    nameOrId: string,
    request: BoxExecRequest,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ExecProcess> {
    const { execInBox } = await import("./exec-in-box.ts");
    return execInBox(this.#services, nameOrId, request, options);
  }

  /**
   * Waits until the machine of a box has ended, and puts that on record.
   *
   * @throws RuntimeError `BOX_NOT_FOUND`; `BOX_NOT_RUNNING` for a box that never ran, or whose start failed.
   */
  async wait(nameOrId: string, options: { readonly signal?: AbortSignal } = {}): Promise<EndedBox> {
    const { waitForBox } = await import("./wait-for-box.ts");
    return waitForBox(this.#services, nameOrId, options);
  }
}

import type {
  ExecProcess,
  GuestStream,
  MachineStats,
  OpenPortForward,
  PortForward,
  StreamRequest,
} from "@box/vm";
import type { FileEvent, FileRecord } from "../files/file-event.ts";
import type {
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
   * Opens a stream to files or to a port of a box that runs.
   *
   * @param options - `signal` breaks it off.
   * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_NOT_RUNNING`; VmError `VM_FILE_*`, `VM_PORT_REFUSED`, `VM_*`.
   */
  async open(
    nameOrId: string,
    request: StreamRequest,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<GuestStream> {
    const { openInBox } = await import("./exec-in-box.ts");
    return openInBox(this.#services, nameOrId, request, options);
  }

  /**
   * Looks at a file of a box that runs, by its absolute path; undefined when it is not there.
   *
   * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_NOT_RUNNING`; VmError `VM_FILE_*`, `VM_*`.
   */
  async lookAt(
    nameOrId: string,
    path: string,
    options: ReadFilesOptions = {},
  ): Promise<FileRecord | undefined> {
    const { lookInBox } = await import("./box-files.ts");
    return lookInBox(this.#services, nameOrId, path, options);
  }

  /**
   * A file of a box that runs, or a folder with what is in it: the first record has the last part of the path as its name. Names
   * and links are the guest's own: hostile. Whoever writes them to a host must not follow them.
   *
   * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_NOT_RUNNING`; VmError `VM_FILE_*`, `VM_*`, also while it is read.
   */
  async readFiles(
    nameOrId: string,
    path: string,
    options: ReadFilesOptions = {},
  ): Promise<AsyncIterable<FileEvent>> {
    const { readFilesOfBox } = await import("./box-files.ts");
    return readFilesOfBox(this.#services, nameOrId, path, options);
  }

  /**
   * Writes files into a folder of a box that runs, by its absolute path: in place of files and links that are there; folders that are
   * there stay. No link below the folder is followed.
   *
   * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_NOT_RUNNING`; VmError `VM_FILE_*`, `VM_*`; what `files` throws.
   */
  async writeFiles(
    nameOrId: string,
    folder: string,
    files: AsyncIterable<FileEvent>,
    options: WriteFilesOptions = {},
  ): Promise<void> {
    const { writeFilesOfBox } = await import("./box-files.ts");
    await writeFilesOfBox(this.#services, nameOrId, folder, files, options);
  }

  /**
   * The streams of a box's own program, from now on. Disposing leaves the program alone.
   *
   * @param options - `signal` leaves it.
   * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_NOT_RUNNING`; VmError `VM_NO_PROGRAM`, `VM_*`.
   */
  async attach(
    nameOrId: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ExecProcess> {
    const { attachToBox } = await import("./exec-in-box.ts");
    return attachToBox(this.#services, nameOrId, options);
  }

  /**
   * Forwards more ports of the host to a box that runs, until it stops.
   *
   * @returns All that are forwarded.
   * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_NOT_RUNNING`; VmError `VM_PORT_IN_USE`, `VM_*`.
   */
  async forward(
    nameOrId: string,
    forwards: readonly PortForward[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly OpenPortForward[]> {
    const { forwardToBox } = await import("./exec-in-box.ts");
    return forwardToBox(this.#services, nameOrId, forwards, options);
  }

  /** What a box that runs uses. @throws RuntimeError `BOX_NOT_FOUND`, `BOX_NOT_RUNNING`; VmError `VM_*`. */
  async stats(
    nameOrId: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<MachineStats> {
    const { statsOfBox } = await import("./exec-in-box.ts");
    return statsOfBox(this.#services, nameOrId, options);
  }

  /**
   * Signals the program of a box. `SIGKILL` ends the box in any case: where the signal reaches no program, its machine is killed.
   *
   * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_NOT_RUNNING`; VmError `VM_NO_PROGRAM`, `VM_GUEST_TIMEOUT`.
   */
  async kill(nameOrId: string, options: KillBoxOptions = {}): Promise<KilledBox> {
    const { killBox } = await import("./kill-box.ts");
    return killBox(this.#services, nameOrId, options);
  }

  /**
   * What the program of a box wrote, or its console, oldest first: at most the last two MiB are kept. The bytes are the box's
   * own: hostile for a terminal.
   *
   * @throws RuntimeError `BOX_NOT_FOUND`; IoError; the signal's reason.
   */
  async logs(nameOrId: string, options: BoxLogsOptions = {}): Promise<AsyncIterable<Uint8Array>> {
    const { logsOfBox } = await import("./logs-of-box.ts");
    return logsOfBox(this.#services, nameOrId, options);
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

import { join } from "node:path";
import { processIdentity } from "@box/io/node";
import type { Engine, EngineCallOptions, EngineReport, MachineStatus } from "../engine.ts";
import { VmError } from "../errors.ts";
import type { Machine } from "../machine.ts";
import { consoleLogName } from "../machine-log.ts";
import type { MachineRecord } from "../machine-record.ts";
import { checkMachineSpec, type MachineSpec } from "../machine-spec.ts";
import {
  type AcceleratorChoice,
  type ChosenAccelerator,
  chooseAccelerator,
} from "./accelerator/choose-accelerator.ts";
import {
  type FoundQemu,
  findProgram,
  findQemu,
  isNewEnough,
  oldestQemu,
  qemuProgram,
  readQemuVersion,
} from "./find-qemu.ts";
import { engineName, type Launch } from "./launch.ts";
import { linkVersion } from "./link/messages.ts";
import {
  type Accelerator,
  type BootFiles,
  type MachineArgumentsOptions,
  machineArguments,
  restoreArguments,
} from "./machine-arguments.ts";
import { machineStatus, readMachineRecord } from "./machine-folder.ts";
import { QemuMachine } from "./qemu-machine.ts";
import { socketPath } from "./socket-path.ts";
import { ownSupervisor, type SupervisorProgram, startSupervisor } from "./start-supervisor.ts";
import { descriptors, stateDescriptor } from "./supervisor/qemu-process.ts";
import { diskBytes } from "./template/disk-bytes.ts";
import { templateSlot } from "./template/template-key.ts";

/** What a machine needs of what it boots. */
export interface BootOptions {
  /** Whether it has a network card, and needs its driver. */
  readonly hasNetwork: boolean;
  /** Stops it. */
  readonly signal?: AbortSignal | undefined;
}

/** What a {@link QemuEngine} is made from. */
export interface QemuEngineOptions {
  /** Folders with programs, in order, such as those of `PATH`. */
  readonly programFolders: readonly string[];
  /** Finds or makes what machines boot. Throws VmError `VM_ENGINE_UNAVAILABLE` when it cannot. */
  readonly boot: (options: BootOptions) => Promise<BootFiles>;
  /** Folder for sockets of machines whose own folders lie too deep; made when it is needed, for this user alone. */
  readonly socketFolder: string;
  /** What looks after a machine; the one of this package unless given. */
  readonly supervisor?: SupervisorProgram;
  /** What speeds machines up; what works here unless given. */
  readonly accelerator?: AcceleratorChoice;
  /**
   * Folder for what was found out about this host, and for what Node.js has compiled; both are done again each time unless given. Of this
   * user alone: code is loaded from there.
   */
  readonly cacheFolder?: string;
  /**
   * Folder for the states of machines that have booted and have nothing of a box yet; others of their shape go on from there in place of
   * booting. Without one every machine boots. Made for this user alone.
   */
  readonly templateFolder?: string;
  /** The device of KVM; `/dev/kvm` unless given. */
  readonly kvmDevice?: string;
}

/** Saving a machine, and coming up from what was saved, takes a fraction of a second on an idle host. */
const templateTimeoutMs = 8000;

/** Runs machines with the QEMU of the host. */
export class QemuEngine implements Engine {
  readonly name: string = engineName;
  readonly #options: QemuEngineOptions;

  constructor(options: QemuEngineOptions) {
    this.#options = options;
  }

  async probe(options: { readonly signal?: AbortSignal } = {}): Promise<EngineReport> {
    options.signal?.throwIfAborted();
    const found = await findQemu(this.#options.programFolders);
    if (found === undefined) return { isUsable: false, reason: missingQemu };
    const version = await readQemuVersion(found.path);
    if (version === undefined) {
      return { isUsable: false, reason: `${found.path} does not tell its version` };
    }
    if (!isNewEnough(version)) {
      const reason = `QEMU ${version} is too old: ${oldestQemu} or newer is needed`;
      return { isUsable: false, version, reason };
    }
    try {
      const boot = await this.#options.boot({ hasNetwork: false, signal: options.signal });
      const { accelerator, reason } = await this.#accelerator(found, boot, options.signal);
      const told = reason === undefined ? {} : { reason };
      return { isUsable: true, version, accelerator: reportedName(accelerator), ...told };
    } catch (error) {
      options.signal?.throwIfAborted();
      return { isUsable: false, version, reason: (error as Error).message };
    }
  }

  async spawn(spec: MachineSpec, options: EngineCallOptions = {}): Promise<Machine> {
    const { signal } = options;
    checkMachineSpec(spec);
    signal?.throwIfAborted();
    const { programFolders, boot, socketFolder, cacheFolder } = this.#options;
    const { supervisor = ownSupervisor() } = this.#options;
    const qemu = await this.#requireQemu();
    const files = await boot({ hasNetwork: spec.network === "user", signal });
    const { accelerator, reason } = await this.#accelerator(qemu, files, signal);
    const words = {
      spec,
      accelerator,
      descriptors,
      isSandboxed: process.platform === "linux",
    };
    const launch: Launch = {
      spec,
      qemu: {
        path: qemu.path,
        args: machineArguments({ ...words, boot: files }),
        setpriv: await findProgram("setpriv", programFolders),
      },
      template: await this.#template(spec, accelerator, { qemu, boot: files, words }),
      socket: await socketPath(spec.directory, spec.id, socketFolder),
      details: {
        accelerator,
        ...(reason === undefined ? {} : { reason }),
        console: join(spec.logDirectory, consoleLogName),
      },
    };
    signal?.throwIfAborted();
    const { record, warnings } = await startSupervisor(supervisor, launch, { cacheFolder, signal });
    for (const warning of warnings) options.onEvent?.({ type: "warning", ...warning });
    // From here on it is known to others by its folder, so that it is theirs too.
    return QemuMachine.open(record, { onEvent: options.onEvent });
  }

  async attach(record: MachineRecord, options: EngineCallOptions = {}): Promise<Machine> {
    const { signal } = options;
    signal?.throwIfAborted();
    requireOwn(record);
    if (machineStatus(record).state === "gone") throw gone(record);
    const machine = await QemuMachine.open(record, options);
    if (machineStatus(record).state === "running") return machine;
    await machine.close();
    throw gone(record);
  }

  async look(record: MachineRecord): Promise<MachineStatus> {
    return machineStatus(record);
  }

  async find(directory: string): Promise<MachineRecord | undefined> {
    return readMachineRecord(directory);
  }

  async #template(
    spec: MachineSpec,
    accelerator: Accelerator,
    { qemu, boot, words }: TemplateParts,
  ): Promise<Launch["template"]> {
    const { templateFolder: folder } = this.#options;
    if (folder === undefined || spec.bootsAlways === true) return undefined;
    const sizes: number[] = [];
    for (const disk of spec.disks) {
      const bytes = await diskBytes(disk);
      if (bytes === undefined) return undefined;
      sizes.push(bytes);
    }
    const host = accelerator === "kvm" ? processIdentity().bootId : "";
    return {
      folder,
      slot: templateSlot({ spec, accelerator, diskBytes: sizes }),
      makers: { qemu: qemu.identity, boot: boot.digest, host },
      args: restoreArguments(words, stateDescriptor),
      timeoutMs: templateTimeoutMs,
    };
  }

  async #accelerator(
    { path, identity }: FoundQemu,
    boot: BootFiles,
    signal: AbortSignal | undefined,
  ): Promise<ChosenAccelerator> {
    const { programFolders, accelerator, cacheFolder, kvmDevice } = this.#options;
    return chooseAccelerator({
      wanted: accelerator ?? "auto",
      qemu: path,
      qemuIdentity: identity,
      setpriv: await findProgram("setpriv", programFolders),
      boot,
      cacheFolder,
      kvmDevice: kvmDevice ?? "/dev/kvm",
      signal,
    });
  }

  async #requireQemu(): Promise<FoundQemu> {
    const found = await findQemu(this.#options.programFolders);
    if (found !== undefined) return found;
    throw new VmError({
      code: "VM_ENGINE_UNAVAILABLE",
      message: `no machine can be started: ${missingQemu}`,
      details: { program: qemuProgram },
      hint: "install QEMU: apt-get install qemu-system-x86 on Debian and Ubuntu",
    });
  }
}

interface TemplateParts {
  readonly qemu: FoundQemu;
  readonly boot: BootFiles;
  readonly words: Omit<MachineArgumentsOptions, "boot">;
}

/** Emulation speeds nothing up. */
function reportedName(accelerator: Accelerator): string {
  return accelerator === "tcg" ? "none" : accelerator;
}

const missingQemu = `there is no ${qemuProgram}`;

function requireOwn(record: MachineRecord): void {
  const { engine, details } = record;
  if (engine !== engineName) {
    throw new VmError({
      code: "VM_RECORD_FOREIGN",
      message: `the machine runs on the engine ${engine}, not on ${engineName}`,
      details: { engine },
    });
  }
  const link = details["link"];
  if (link === linkVersion) return;
  throw new VmError({
    code: "VM_RECORD_FOREIGN",
    message: "the machine was started by another version of box, which talks to it differently",
    details: { link, own: linkVersion },
    hint: "use that version, or end the machine's process",
  });
}

function gone({ process: { pid } }: MachineRecord): VmError {
  return new VmError({
    code: "VM_MACHINE_GONE",
    message: `the machine with process ${pid} has ended`,
    details: { pid },
  });
}

import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { VmError } from "../../errors.ts";
import type { MachineDescriptors } from "../machine-arguments.ts";
import { visibleText } from "./rolling-log.ts";

/** How a QEMU is started. */
export interface QemuCommand {
  /** Absolute path of its program. */
  readonly path: string;
  readonly args: readonly string[];
  /** Absolute path of `setpriv`, where there is one: the kernel ends QEMU with its supervisor then. */
  readonly setpriv?: string | undefined;
  /** An open file that it is given too, as {@link stateDescriptor}. */
  readonly state?: number | undefined;
}

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Where QEMU finds its sockets; {@link QemuProcess} has their other ends. */
export const descriptors: MachineDescriptors = { qmp: 3, agent: 4, console: 5 };

/** Where QEMU finds its saved state. */
export const stateDescriptor = 6;

const tailBytes = 16 * 1024;

/** A QEMU that runs as a child of this process. Its sockets are pairs that nobody else can open. */
export class QemuProcess {
  readonly qmp: Duplex;
  readonly agent: Duplex;
  readonly console: Duplex;
  /** How it ended, once it has. */
  readonly ended: Promise<ProcessEnd>;
  readonly #child: ChildProcess;
  #said: Buffer = Buffer.alloc(0);

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.qmp = child.stdio[descriptors.qmp] as Duplex;
    this.agent = child.stdio[descriptors.agent as 4] as Duplex;
    this.console = (child.stdio as unknown as readonly Duplex[])[descriptors.console] as Duplex;
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#said = Buffer.concat([this.#said, chunk]).subarray(-tailBytes);
    });
    for (const stream of [this.agent, this.console]) stream.on("error", () => {});
    const { promise, resolve } = Promise.withResolvers<ProcessEnd>();
    // "close" comes after everything that it said was read.
    child.once("close", (code, signal) => resolve({ code, signal }));
    this.ended = promise;
  }

  /** Starts it. @throws VmError `VM_SPAWN_FAILED` when there is no such program or no process to be had. */
  static async start({ path, args, setpriv, state }: QemuCommand): Promise<QemuProcess> {
    const [command, words] =
      setpriv === undefined
        ? [path, args]
        : [setpriv, ["--pdeathsig", "KILL", "--", path, ...args]];
    const child = spawn(command, words, {
      cwd: "/",
      env: {},
      stdio: [
        ...(["ignore", "ignore", "pipe", "pipe", "pipe", "pipe"] as const),
        ...(state === undefined ? [] : [state]),
      ],
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    child.once("spawn", resolve);
    child.once("error", reject);
    try {
      await promise;
    } catch (error) {
      throw new VmError({
        code: "VM_SPAWN_FAILED",
        message: `cannot start ${command}`,
        details: { path: command },
        cause: error,
      });
    }
    child.on("error", () => {});
    return new QemuProcess(child);
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The end of what it said to its error output. */
  get said(): string {
    return visibleText(this.#said);
  }

  /** Signals it. Its parent has not collected it while it is on record here, so that its pid is nobody else's. */
  kill(signal: NodeJS.Signals): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal);
  }
}

/** Why a QEMU ended before its machine ran. */
export function startFailure(said: string, { code, signal }: ProcessEnd): VmError {
  const end = signal === null ? `exit code ${code}` : `signal ${signal}`;
  const inUse = diskInUse(said);
  if (inUse !== undefined) return inUse;
  if (/network backend '.*' is not compiled|'virtio-net-pci' is not a valid/.test(said)) {
    return new VmError({
      code: "VM_NETWORK_UNSUPPORTED",
      message: `this QEMU gives machines no network: ${said}`,
    });
  }
  return new VmError({
    code: "VM_SPAWN_FAILED",
    message: `QEMU ended with ${end} before the machine ran: ${said || "it said nothing"}`,
    details: { said, code, signal },
  });
}

/** The failure that QEMU tells of when another process has a disk open; nothing when it tells of something else. */
export function diskInUse(said: string): VmError | undefined {
  if (!/Failed to get (?:shared )?"[^"]+" lock/.test(said)) return undefined;
  return new VmError({
    code: "VM_DISK_IN_USE",
    message: `another process has a disk of the machine open: ${said}`,
  });
}

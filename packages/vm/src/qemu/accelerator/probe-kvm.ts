import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { isBoxError } from "@box/errors";
import { type BootFiles, machineArguments } from "../machine-arguments.ts";
import { GuestSession } from "../supervisor/guest-session.ts";
import { descriptors, QemuProcess } from "../supervisor/qemu-process.ts";

/** What {@link probeKvm} tries. */
export interface ProbeKvmOptions {
  /** Absolute path of QEMU. */
  readonly qemu: string;
  readonly setpriv: string | undefined;
  readonly boot: BootFiles;
  /** How long the guest may take to answer. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

const probeMemoryMiB = 128;

/**
 * Boots the real kernel with the real agent under KVM, without a disk, until the agent answers. That KVM can be opened proves
 * nothing: there are hosts on which guests then hang.
 *
 * @returns Why it does not work; nothing when it does. Leaves no process. @throws The signal's reason.
 */
export async function probeKvm(options: ProbeKvmOptions): Promise<string | undefined> {
  const { qemu, setpriv, boot, timeoutMs, signal } = options;
  signal?.throwIfAborted();
  const spec = { id: "0".repeat(32), name: "probe", disks: [], memoryMiB: probeMemoryMiB, cpus: 1 };
  const args = machineArguments({
    spec,
    boot,
    accelerator: "kvm",
    descriptors,
    isSandboxed: true,
  });
  const machine = await QemuProcess.start({ path: qemu, args, setpriv }).catch((error: unknown) =>
    isBoxError(error) ? error.message : String(error),
  );
  if (typeof machine === "string") return machine;
  const left = new AbortController();
  const either = signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]);
  const session = new GuestSession(machine.agent);
  for (const stream of [machine.console, machine.qmp] satisfies Duplex[]) {
    stream.on("error", () => {});
    stream.resume();
  }
  const answered = session.ready.then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  const ended = machine.ended.then(
    ({ code, signal: by }) =>
      `QEMU ended with ${by ?? `exit code ${code}`}: ${machine.said || "it said nothing"}`,
  );
  const late = delay(timeoutMs, `a guest did not come up within ${timeoutMs} ms`, {
    signal: either,
  });
  late.catch(() => {});
  try {
    return await Promise.race([answered, ended, late]);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    left.abort();
    machine.kill("SIGKILL");
    await machine.ended;
  }
}

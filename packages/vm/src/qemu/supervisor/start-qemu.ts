import { setTimeout as delay } from "node:timers/promises";
import { VmError } from "../../errors.ts";
import type { Launch, SentWarning } from "../launch.ts";
import { HeardQemu, type StartedQemu } from "./heard-qemu.ts";
import { type QemuCommand, startFailure } from "./qemu-process.ts";
import { tryTemplate } from "./try-template.ts";

/** How a machine was started. */
export interface QemuStart extends StartedQemu {
  /** `warm`: from a saved state; `cold`: its kernel boots. */
  readonly start: "warm" | "cold";
  /** Why not from a saved state. */
  readonly reason?: string;
  readonly warnings: readonly SentWarning[];
  /** Whether its state is to be saved when its agent answers. */
  readonly isSaved: boolean;
}

/** What {@link startQemu} takes besides the launch. */
export interface StartQemuOptions {
  readonly now: () => number;
  /** Ends trying a template. */
  readonly signal: AbortSignal;
}

/** How long QEMU may take until its monitor answers: it opens its disks before. */
const monitorTimeoutMs = 30_000;

/**
 * Starts a machine from its template when there is one that fits, else by booting its kernel: whatever is wrong with a template
 * costs some time, and gives the same machine.
 *
 * @throws VmError `VM_SPAWN_FAILED`, `VM_DISK_IN_USE`; the signal's reason. No process is left then.
 */
export async function startQemu(launch: Launch, options: StartQemuOptions): Promise<QemuStart> {
  const tried = await tryTemplate(launch, options);
  if ("heard" in tried) return { ...tried, start: "warm", warnings: [], isSaved: false };
  const { reason, isWarned, isSaved, avoid } = tried;
  const booted = await bootQemu(launch.qemu);
  await avoid?.();
  const message = `the machine boots, which takes longer than going on from its template: ${reason}`;
  return {
    ...booted,
    start: "cold",
    reason,
    warnings: isWarned ? [{ code: "VM_TEMPLATE_UNUSABLE", message }] : [],
    isSaved,
  };
}

async function bootQemu(command: QemuCommand): Promise<StartedQemu> {
  const heard = await HeardQemu.start(command);
  try {
    const version = await untilRunning(heard);
    return { heard, version, guest: await heard.meetGuest() };
  } catch (error) {
    await heard.end();
    throw error;
  }
}

/** Waits until QEMU has opened its disks and answers. @returns Its version. */
async function untilRunning({ qemu, qmp }: HeardQemu): Promise<string> {
  const negotiated = qmp.negotiate({ timeoutMs: monitorTimeoutMs });
  negotiated.catch(() => {});
  const end = await Promise.race([
    qemu.ended,
    negotiated.then(
      () => undefined,
      // A monitor that was closed belongs to a QEMU that is ending, and that tells more.
      () => Promise.race([qemu.ended, delay(1000, undefined)]),
    ),
  ]);
  if (end !== undefined) throw startFailure(qemu.said, end);
  try {
    return await negotiated;
  } catch (error) {
    throw new VmError({
      code: "VM_SPAWN_FAILED",
      message: `QEMU does not answer: ${(error as Error).message}`,
      cause: error,
    });
  }
}

import { setTimeout as delay } from "node:timers/promises";
import { isBoxError } from "@box/errors";
import type { Launch } from "../launch.ts";
import { runStatus } from "../qmp/qmp-replies.ts";
import {
  discardTemplate,
  findTemplate,
  type OpenTemplate,
  putTemplate,
  type TemplatePlace,
  touchTemplate,
} from "../template/template-folder.ts";
import { HeardQemu, type StartedQemu } from "./heard-qemu.ts";
import { diskInUse, type QemuCommand, startFailure } from "./qemu-process.ts";

/** Why a machine is not started from a template. */
export interface NotFromTemplate {
  /** A clause for people. */
  readonly reason: string;
  /** Whether that is worth a warning: there was one. */
  readonly isWarned: boolean;
  /** Whether the machine that boots in its stead is to be saved. */
  readonly isSaved: boolean;
  /** Says that none is to be tried for a while. For when the machine that boots does better: else it was no fault of the template. */
  readonly avoid?: () => Promise<void>;
}

const pollMs = 2;

/**
 * Starts a machine from its template. One that is damaged, or of another time, is removed; where a sound one does not come up,
 * none is tried for a while. No process is left then, and no disk was written.
 *
 * @throws VmError `VM_DISK_IN_USE`; the signal's reason.
 */
export async function tryTemplate(
  { qemu, template: place }: Launch,
  { now, signal }: { readonly now: () => number; readonly signal: AbortSignal },
): Promise<StartedQemu | NotFromTemplate> {
  if (place === undefined) return { reason: "none is used", isWarned: false, isSaved: false };
  const found = await findTemplate(place, now()).catch((error: unknown) => {
    return { found: "avoided", reason: messageOf(error) } as const;
  });
  switch (found.found) {
    case "nothing":
      return { reason: "there is none yet", isWarned: false, isSaved: true };
    case "avoided":
      return { reason: found.reason, isWarned: false, isSaved: false };
    case "unusable":
      await discardTemplate(place).catch(() => {});
      return { reason: found.reason, isWarned: true, isSaved: true };
    default:
  }
  const { template } = found;
  try {
    const started = await restore({ ...qemu, args: place.args }, template, {
      signal,
      timeoutMs: place.timeoutMs,
    });
    void touchTemplate(place, now());
    return started;
  } catch (error) {
    signal.throwIfAborted();
    if (isBoxError(error) && error.kind === "in-use") throw error;
    return await refused(place, error, now());
  } finally {
    await template.state.close();
  }
}

/** The state is not what was saved. */
class DamagedTemplate extends Error {}

async function refused(
  place: TemplatePlace,
  error: unknown,
  nowMs: number,
): Promise<NotFromTemplate> {
  const reason = messageOf(error);
  if (error instanceof DamagedTemplate) {
    // What cannot be removed is refused again the next time.
    await discardTemplate(place).catch(() => {});
    return { reason, isWarned: true, isSaved: true };
  }
  const { makers } = place;
  const avoid = () => putTemplate(place, { format: 1, makers, madeMs: nowMs, fault: reason });
  return { reason, isWarned: true, isSaved: false, avoid: () => avoid().catch(() => {}) };
}

async function restore(
  command: QemuCommand,
  template: OpenTemplate,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<StartedQemu> {
  const heard = await HeardQemu.start({ ...command, state: template.state.fd });
  const over = new AbortController();
  const limit = AbortSignal.any([signal, over.signal]);
  // QEMU reads the state while its digest is computed. It runs nothing of it before that was compared.
  const isIntact = isStateIntact(template, limit);
  isIntact.catch(() => {});
  const late = delay(timeoutMs, undefined, { signal: limit }).then(() => {
    throw new Error(`the saved machine did not come up within ${timeoutMs} ms`);
  });
  const ended = heard.qemu.ended.then((end) => {
    throw startFailure(heard.qemu.said, end);
  });
  for (const promise of [late, ended]) promise.catch(() => {});
  try {
    return await Promise.race([comeUp(heard, template, isIntact), late, ended]);
  } catch (error) {
    await heard.end();
    // What QEMU makes of a damaged state is no fault of QEMU.
    if (!signal.aborted && !(await isIntact.catch(() => true))) throw damaged();
    throw error;
  } finally {
    over.abort();
  }
}

async function comeUp(
  heard: HeardQemu,
  { record }: OpenTemplate,
  isIntact: Promise<boolean>,
): Promise<StartedQemu> {
  const { qmp } = heard;
  const version = await qmp.negotiate();
  while (runStatus(await qmp.execute("query-status")) === "inmigrate") await delay(pollMs);
  if (!(await isIntact)) throw damaged();
  if (version !== record.qemuVersion) {
    throw new DamagedTemplate(`QEMU was ${record.qemuVersion} when it was saved`);
  }
  await qmp.execute("cont").catch((error: unknown) => {
    // A disk that another has open is no fault of the template.
    throw diskInUse(messageOf(error)) ?? error;
  });
  const guest = await heard.meetGuest();
  await guest.ready;
  return { heard, guest, version };
}

function damaged(): DamagedTemplate {
  return new DamagedTemplate("its state is damaged");
}

async function isStateIntact(
  { record, state }: OpenTemplate,
  signal: AbortSignal,
): Promise<boolean> {
  const { digestOfState } = await import("../template/digest-of-state.ts");
  return (await digestOfState(state, record.lengthBytes, signal)) === record.sha256;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

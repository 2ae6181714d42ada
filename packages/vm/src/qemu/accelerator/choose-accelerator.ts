import { constants } from "node:fs";
import { access, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, processIdentity } from "@box/io/node";
import { VmError } from "../../errors.ts";
import type { Accelerator } from "../machine-arguments.ts";
import { type ProbeKvmOptions, probeKvm } from "./probe-kvm.ts";

/** What may speed a machine up: what works here, or one and no other. */
export type AcceleratorChoice = "auto" | Accelerator;

/** What {@link chooseAccelerator} takes. */
export interface ChooseAcceleratorOptions extends Omit<ProbeKvmOptions, "timeoutMs"> {
  readonly wanted: AcceleratorChoice;
  /** What identifies the QEMU: another one is tried again. */
  readonly qemuIdentity: string;
  /** Where results are kept until the host is started again; nowhere unless given. */
  readonly cacheFolder?: string | undefined;
  /** The device of KVM. */
  readonly kvmDevice: string;
}

/** What was chosen. */
export interface ChosenAccelerator {
  readonly accelerator: Accelerator;
  /** Why it is not a faster one; one sentence for people. */
  readonly reason?: string;
}

/** How long a guest may take under KVM, where it takes some 0.2 s when it works. */
const probeTimeoutMs = 3000;
const cacheFile = "accelerator.json";

/**
 * KVM where it was seen to work with this QEMU and this kernel since the host was started, else emulation, with the reason.
 *
 * @throws VmError `VM_ENGINE_UNAVAILABLE` when KVM alone is wanted and does not work; the signal's reason.
 */
export async function chooseAccelerator(
  options: ChooseAcceleratorOptions,
): Promise<ChosenAccelerator> {
  const { wanted } = options;
  if (wanted === "tcg") return { accelerator: "tcg" };
  const fault = (await deviceFault(options.kvmDevice)) ?? (await knownFault(options));
  if (fault === undefined) return { accelerator: "kvm" };
  if (wanted === "auto") return { accelerator: "tcg", reason: `KVM does not work here: ${fault}` };
  throw new VmError({
    code: "VM_ENGINE_UNAVAILABLE",
    message: `machines cannot run with KVM here: ${fault}`,
    hint: "leave the choice of what speeds machines up open, or use tcg",
  });
}

async function deviceFault(device: string): Promise<string | undefined> {
  try {
    await access(device, constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    const errno = errnoOf(error);
    return errno === "ENOENT" ? `there is no ${device}` : `${device} cannot be opened: ${errno}`;
  }
}

/** What trying it gave, now or since the host was started. */
async function knownFault(options: ChooseAcceleratorOptions): Promise<string | undefined> {
  const { qemuIdentity, boot, cacheFolder } = options;
  const key = [processIdentity().bootId, qemuIdentity, boot.digest].join("\n");
  const cached = cacheFolder === undefined ? undefined : await readCache(cacheFolder, key);
  if (cached !== undefined) return cached.fault;
  const fault = await probeKvm({ ...options, timeoutMs: probeTimeoutMs });
  if (cacheFolder !== undefined) await writeCache(cacheFolder, { key, fault });
  return fault;
}

interface Cached {
  readonly key: string;
  readonly fault: string | undefined;
}

async function readCache(folder: string, key: string): Promise<Cached | undefined> {
  try {
    const text = await readFile(join(folder, cacheFile), "utf8");
    const found = JSON.parse(text) as Partial<Cached> | null;
    if (found?.key !== key) return undefined;
    return { key, fault: typeof found.fault === "string" ? found.fault : undefined };
  } catch {
    // Trying it again is right whatever is wrong with the file.
    return undefined;
  }
}

/** A result that cannot be stored is found out again. */
async function writeCache(folder: string, cached: Cached): Promise<void> {
  const path = join(folder, cacheFile);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(`${path}.${process.pid}`, JSON.stringify(cached), { mode: 0o600 });
    await rename(`${path}.${process.pid}`, path);
  } catch {}
}

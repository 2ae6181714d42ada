import { createHash } from "node:crypto";
import type { MachineSpec } from "../../machine-spec.ts";
import { type Accelerator, machineArguments } from "../machine-arguments.ts";

/** Raised when templates of before cannot be used any more. */
const formatVersion = 1;

/** What a template was made with. When any of it is another, the template fits no longer. */
export interface TemplateMakers {
  /** The program of QEMU. */
  readonly qemu: string;
  /** Digest of the kernel and of the initial RAM disk with the agent. */
  readonly boot: string;
  /** The start of the host under KVM, whose guests see the host's processor; empty where QEMU emulates one. */
  readonly host: string;
}

/** What a machine looks like from inside, apart from what is on its disks. */
export interface MachineShape {
  readonly spec: Pick<MachineSpec, "memoryMiB" | "cpus" | "network" | "disks" | "guestRootfs">;
  readonly accelerator: Accelerator;
  /** Sizes that the guest sees of the disks, in their order. */
  readonly diskBytes: readonly number[];
}

/**
 * Where the template of machines of a shape is: 32 hexadecimal digits. Two that differ in anything that the guest may know of
 * its machine, such as its memory or the sizes of its disks, have different ones.
 */
export function templateSlot({ spec, accelerator, diskBytes }: MachineShape): string {
  const { memoryMiB, cpus, network, guestRootfs } = spec;
  const words = machineArguments({
    spec: { name: "", disks: [], memoryMiB, cpus, network },
    boot: { kernel: "", initrd: "" },
    accelerator,
    descriptors: { qmp: 3, agent: 4, console: 5 },
    isSandboxed: false,
  });
  const disks = spec.disks.map(({ serial, readOnly }, index) => [
    serial,
    readOnly,
    diskBytes[index],
  ]);
  const shape = JSON.stringify([formatVersion, process.arch, words, guestRootfs, disks]);
  return createHash("sha256").update(shape).digest("hex").slice(0, 32);
}

/** Names what a template was made with that is another now, for people; nothing when it fits. */
export function changedMaker(made: TemplateMakers, now: TemplateMakers): string | undefined {
  if (made.qemu !== now.qemu) return "QEMU";
  if (made.boot !== now.boot) return "the kernel or the agent";
  return made.host === now.host ? undefined : "the host's start";
}

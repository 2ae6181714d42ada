import { VmError } from "./errors.ts";
import type { EnvironmentEntry } from "./exec.ts";

/** What a disk is read through to where it has nothing of its own. Never written. */
export interface MachineDiskBacking {
  /** Absolute path of the image. */
  readonly path: string;
  /** Its format; never probed. */
  readonly format: "qcow2" | "raw";
}

/** A disk of a machine. */
export interface MachineDisk {
  /** Whose disk it is. */
  readonly role: "user" | "guest";
  /** Absolute path of the image. */
  readonly path: string;
  /** Its format; never probed. */
  readonly format: "qcow2" | "raw";
  /** Whether the guest may only read it. */
  readonly readOnly: boolean;
  /**
   * Its backing file, whatever the image says about it; null when it has none. Without either the engine follows the name in
   * the image.
   */
  readonly backing?: MachineDiskBacking | null | undefined;
  /** By what the guest finds it: 1 to 20 of `A-Z a-z 0-9 . _ -`, unique in the machine. Its place in a list says nothing. */
  readonly serial: string;
}

/** Serial numbers of the disks of a box. */
export const diskSerials: Readonly<Record<MachineDisk["role"], string>> = {
  user: "box-root",
  guest: "guest-root",
};

/** What the network card of a machine leads to. */
export type MachineNetwork = "none" | "user";

/** A machine that is to be started. */
export interface MachineSpec {
  /** A new id for each start: 32 hex digits. */
  readonly id: string;
  /** The box: 32 hex digits. */
  readonly boxId: string;
  /** Its name, for people and the engine's own names. */
  readonly name: string;
  /** Folder for what the running machine leaves for others: absolute, there already, only this user's. */
  readonly directory: string;
  /** Folder for its logs, such as the console: absolute, there already. */
  readonly logDirectory: string;
  /** Its disks. They were judged sound, and whoever starts the machine holds the box's lock. */
  readonly disks: readonly MachineDisk[];
  /** Where the system that boots is: on the disk of role `guest`, or in the initial RAM disk alone. */
  readonly guestRootfs: "disk" | "initramfs";
  /** Memory in MiB, 64 to 1048576. */
  readonly memoryMiB: number;
  /** Processors, 1 to 256. */
  readonly cpus: number;
  /**
   * What its network card leads to: `none`, the default, has no card; `user` all that the user of this process reaches, the
   * host's own loopback too, but nobody reaches it. Changes what it boots and its devices.
   */
  readonly network?: MachineNetwork | undefined;
  /** The environment of the system that boots, not that of commands in the box. */
  readonly environment: readonly EnvironmentEntry[];
  /** Labels of the box. */
  readonly labels: Readonly<Record<string, string>>;
  /**
   * How long it lives: `detached` until it is stopped, whatever becomes of the process that started it; `owner` at most
   * two seconds longer than that process.
   */
  readonly lifetime: "detached" | "owner";
  /** Whether it boots also where an engine could let it go on from the saved state of one that has booted. No unless given. */
  readonly bootsAlways?: boolean | undefined;
}

const idPattern = /^[0-9a-f]{32}$/;
const serialPattern = /^[A-Za-z0-9._-]{1,20}$/;

/**
 * Refuses a description of a machine that no engine can start.
 *
 * @throws VmError `VM_SPEC_INVALID`, naming the field.
 */
export function checkMachineSpec(spec: MachineSpec): void {
  const { disks } = spec;
  requireThat(idPattern.test(spec.id), "id", "32 hex digits");
  requireThat(idPattern.test(spec.boxId), "boxId", "32 hex digits");
  requireThat(isPath(spec.directory), "directory", "an absolute path");
  requireThat(isPath(spec.logDirectory), "logDirectory", "an absolute path");
  requireThat(isWithin(spec.memoryMiB, 64, 1_048_576), "memoryMiB", "64 to 1048576");
  requireThat(isWithin(spec.cpus, 1, 256), "cpus", "1 to 256");
  const isNetwork = ["none", "user"].includes(spec.network ?? "none");
  requireThat(isNetwork, "network", "none or user");
  for (const { path, serial, format, backing } of disks) {
    requireThat(isPath(path), "disks.path", "an absolute path");
    requireThat(backing == null || isPath(backing.path), "disks.backing", "an absolute path");
    requireThat(backing == null || format === "qcow2", "disks.backing", "null for a raw disk");
    requireThat(serialPattern.test(serial), "disks.serial", "1 to 20 of A-Z a-z 0-9 . _ -");
  }
  const serials = new Set(disks.map(({ serial }) => serial));
  requireThat(serials.size === disks.length, "disks.serial", "different for each disk");
  const users = disks.filter(({ role }) => role === "user").length;
  requireThat(users === 1, "disks", "one disk of role user");
  const guests = disks.length - users;
  const wanted = spec.guestRootfs === "disk" ? 1 : 0;
  requireThat(guests === wanted, "disks", `${wanted} disks of role guest with ${spec.guestRootfs}`);
}

function isPath(path: string): boolean {
  return path.startsWith("/") && !path.includes("\0");
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function requireThat(isTrue: boolean, field: string, wanted: string): void {
  if (isTrue) return;
  throw new VmError({
    code: "VM_SPEC_INVALID",
    message: `a machine cannot be made as described: ${field} must be ${wanted}`,
    details: { field, wanted },
  });
}

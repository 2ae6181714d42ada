import type { MachineDisk, MachineDiskBacking, MachineSpec } from "../machine-spec.ts";

/** What speeds a machine up; `tcg` is QEMU's own emulation, which works everywhere. */
export type Accelerator = "kvm" | "tcg";

/** What a machine boots. */
export interface BootFiles {
  /** Absolute path of the kernel: an ELF `vmlinux` with a PVH note, or a `bzImage`. */
  readonly kernel: string;
  /** Absolute path of the initial RAM disk, whose first program is the agent. */
  readonly initrd: string;
  /** Changes when one of them does. */
  readonly digest: string;
}

/** Numbers of open sockets that QEMU is started with. Nobody else can reach it by them. */
export interface MachineDescriptors {
  /** Its monitor. */
  readonly qmp: number;
  /** The port of the agent. */
  readonly agent: number;
  /** The first serial line. */
  readonly console: number;
}

/** What a command line of QEMU is made of. */
export interface MachineArgumentsOptions {
  /** What is started. */
  readonly spec: Pick<MachineSpec, "name" | "disks" | "memoryMiB" | "cpus" | "network">;
  /** What it boots. */
  readonly boot: Pick<BootFiles, "kernel" | "initrd">;
  /** What runs its instructions. */
  readonly accelerator: Accelerator;
  /** The sockets that QEMU is given. */
  readonly descriptors: MachineDescriptors;
  /** Whether QEMU gives up what it does not need, such as starting programs; Linux only. */
  readonly isSandboxed: boolean;
}

// Nothing of a box is in these words that its guest can see: a saved machine becomes any box. QEMU has no id for it, for one.

/**
 * All that QEMU can emulate, but for the one word that lets kernels copy by `rep movsb`: processors do that in blocks, QEMU byte by
 * byte, and kernels have better ways where they are not told of it.
 */
const emulatedProcessor = "max,erms=off";

/**
 * The words that start a machine, for a program that is run without a shell.
 *
 * A q35 with both accelerators: microvm has no clock that the kernel can calibrate by under TCG and hangs there, and under KVM it
 * was never tried. Everything with a path is JSON, which needs no escapes of QEMU's own.
 */
export function machineArguments(options: MachineArgumentsOptions): readonly string[] {
  const { spec, boot, accelerator, descriptors, isSandboxed } = options;
  return [
    "-nodefaults",
    "-no-user-config",
    "-no-reboot",
    ...["-name", `guest=${escapeCommas(spec.name)}`],
    ...["-machine", "q35,graphics=off,usb=off,vmport=off"],
    ...["-accel", accelerator],
    ...["-cpu", accelerator === "kvm" ? "host" : emulatedProcessor],
    ...["-m", `size=${spec.memoryMiB}M`],
    ...["-smp", `cpus=${spec.cpus}`],
    ...["-display", "none"],
    ...["-kernel", boot.kernel],
    ...["-initrd", boot.initrd],
    ...["-append", kernelCommandLine(accelerator)],
    ...["-chardev", `socket,id=qmp,fd=${descriptors.qmp}`],
    ...["-mon", "chardev=qmp,mode=control"],
    ...["-chardev", `socket,id=console,fd=${descriptors.console}`],
    ...["-serial", "chardev:console"],
    ...["-chardev", `socket,id=agent,fd=${descriptors.agent}`],
    // The agent finds its port, and no other, as the first one of the first such device: /dev/vport0p1.
    ...["-device", json({ driver: "virtio-serial-pci", max_ports: 2 })],
    ...["-device", json({ driver: "virtserialport", nr: 1, chardev: "agent", name: "box.agent" })],
    ...spec.disks.flatMap(diskArguments),
    ...(spec.network === "user" ? networkArguments : []),
    ...(isSandboxed
      ? ["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]
      : []),
  ];
}

/**
 * The words that start a machine from its saved state, which an open file has: as when it boots, but it boots nothing, and it stands
 * still until QEMU's monitor is told to go on.
 */
export function restoreArguments(
  options: Omit<MachineArgumentsOptions, "boot">,
  state: number,
): readonly string[] {
  const words = machineArguments({ ...options, boot: { kernel: "", initrd: "" } });
  const first = words.indexOf("-kernel");
  const rest = words.slice(first + 6);
  return [...words.slice(0, first), ...rest, "-S", "-incoming", `fd:${state}`];
}

/** What the kernel is told. A panic ends it, and with `-no-reboot` the machine. */
export function kernelCommandLine(accelerator: Accelerator): string {
  const words = ["console=ttyS0", "quiet", "loglevel=3", "panic=-1", "reboot=t"];
  words.push("random.trust_cpu=on");
  // The tests that a kernel makes of its own ciphers take a seventh of the time that it boots in under emulation.
  words.push("cryptomgr.notests=1");
  // Nothing runs ahead speculatively in an emulator that translates code, so its kernel needs no guard against it.
  if (accelerator === "tcg") words.push("mitigations=off");
  return words.join(" ");
}

/**
 * Packets of the guest become sockets of QEMU: no rights are needed, and nobody reaches the guest. It reaches what QEMU does,
 * the host's loopback too, at 10.0.2.2: QEMU has no option against that alone. Without IPv6, which the agent sets up nothing
 * for, and without the ROM of the card, which packages leave out.
 */
const networkArguments: readonly string[] = [
  ...["-netdev", "user,id=net0,ipv4=on,ipv6=off,restrict=off"],
  ...["-device", json({ driver: "virtio-net-pci", netdev: "net0", romfile: "" })],
];

function diskArguments(disk: MachineDisk, index: number): readonly string[] {
  const name = `disk${index}`;
  const { path, format, readOnly, serial, backing } = disk;
  const node = {
    driver: format,
    "node-name": name,
    "read-only": readOnly,
    discard: "unmap",
    file: { driver: "file", filename: path, "read-only": readOnly, discard: "unmap" },
    // Stated, so that QEMU opens no file by a name that stands in an image.
    ...(format === "qcow2" && backing !== undefined ? { backing: backingNode(backing) } : {}),
  };
  return [
    ...["-blockdev", json(node)],
    ...["-device", json({ driver: "virtio-blk-pci", drive: name, serial })],
  ];
}

function backingNode(backing: MachineDiskBacking | null): object | null {
  if (backing === null) return null;
  const { path, format } = backing;
  const file = { driver: "file", filename: path, "read-only": true };
  return { driver: format, "read-only": true, file };
}

function escapeCommas(text: string): string {
  return text.replaceAll(",", ",,");
}

function json(value: object): string {
  return JSON.stringify(value);
}

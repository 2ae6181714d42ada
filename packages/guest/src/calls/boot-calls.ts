import { CallBatch, type Word } from "./call-batch.ts";
import { configureLoopback } from "./guest-network.ts";
import { fromRoot, openFlags } from "./guest-paths.ts";
import { Steps } from "./steps.ts";

const noExec = 0b1110;
const noDevices = 0b0110;
const noSetuid = 0b0010;
const newMounts = 0x20000;
const ownFolders = 0x200;
/** The first is none: the calls go on after any error, and say nothing of the others. */
const [anyError, noEntry, badFile, exists] = [0, 2, 9, 17];
const [remount, readOnly] = [32, 1];
const openFiles = 7;
/** `reboot` wants its two magic numbers; then `LINUX_REBOOT_CMD_CAD_OFF`. */
const keysEndNothing = [0xfee1_dead, 672_274_793, 0];
const howBytes = 24;
/** Where the agent looks for them: the box's, and that of the guest's system, which holds the box. */
const spaces: readonly number[] = [4, 5];
/** As many as a machine may have. */
const disks: readonly string[] = ["vda", "vdb"];
const longestSerial = 20;

const folders: readonly (readonly [path: string, mode: number])[] = [
  ["/proc", 0o555],
  ["/sys", 0o555],
  ["/run", 0o755],
  ["/by", 0o755],
  ["/box", 0o755],
  ["/guest", 0o755],
];
const links: readonly (readonly [path: string, target: string])[] = [
  ["/dev/fd", "/proc/self/fd"],
  ["/dev/stdin", "/proc/self/fd/0"],
  ["/dev/stdout", "/proc/self/fd/1"],
  ["/dev/stderr", "/proc/self/fd/2"],
];

/**
 * What the agent does first, before it has a port: mounts the kernel's file systems, loads modules, and makes the namespaces whose roots
 * the disks become. It lies in the initramfs.
 *
 * @param modules - Paths of the kernel's modules, in their order.
 */
export function bootCalls(modules: readonly string[]): Uint8Array {
  const batch = new CallBatch();
  for (const [path, mode] of folders) makeFolder(batch, path, mode);
  mount(batch, "proc", "/proc", noExec);
  mount(batch, "sysfs", "/sys", noExec);
  makeDevices(batch);
  for (const path of modules) loadModule(batch, path);
  for (const disk of disks) nameDisk(batch, disk);
  batch.call("prlimit64", [0, openFiles, batch.numbers(1024, 65_536), 0], { goesOn: "always" });
  batch.call("reboot", keysEndNothing, { goesOn: "always" });
  configureLoopback(new Steps(batch));
  // Kernel threads have the first process's root; who shares one cannot change namespaces.
  batch.call("unshare", [ownFolders]);
  const own = batch.word();
  openSpace(batch, own);
  for (const space of spaces) makeSpace(batch, own, space);
  batch.call("setns", [own, newMounts]);
  batch.call("close", [own]);
  return batch.encode();
}

/**
 * What the agent does last, when no process is left: a file system that was made read-only is clean, nothing of it is to be replayed. It lies
 * in the initramfs.
 */
export function endCalls(): Uint8Array {
  const batch = new CallBatch();
  for (const space of spaces) {
    batch.call("setns", [space, newMounts], { goesOn: "always" });
    const values = [0, batch.text("/"), 0, remount | readOnly, 0];
    batch.call("mount", values, { goesOn: "always" });
  }
  return batch.encode();
}

function makeDevices(batch: CallBatch): void {
  const busy = 16;
  mount(batch, "devtmpfs", "/dev", noSetuid, "mode=755", [busy]);
  makeFolder(batch, "/dev/pts", 0o755);
  makeFolder(batch, "/dev/shm", 0o1777);
  const options = "mode=620,gid=5,ptmxmode=666";
  mount(batch, "devpts", "/dev/pts", noSetuid | 0b1000, options, "always");
  batch.call("unlinkat", [fromRoot, batch.text("/dev/ptmx"), 0], { goesOn: "always" });
  for (const [path, target] of [...links, ["/dev/ptmx", "pts/ptmx"] as const]) {
    const values = [batch.text(target), fromRoot, batch.text(path)];
    batch.call("symlinkat", values, { goesOn: [exists] });
  }
}

/** One that is missing, or does not fit, is told on the console; what needed it fails. */
function loadModule(batch: CallBatch, path: string): void {
  const file = batch.word();
  const how = batch.numbers(openFlags.read | openFlags.closeOnExec, 0, 0);
  const values = [fromRoot, batch.text(path), how, howBytes];
  batch.call("openat2", values, { into: file, goesOn: "always" });
  batch.call("finit_module", [file, batch.text(""), 0], { goesOn: "always" });
  batch.call("close", [file], { goesOn: "always" });
}

/** Links the serial of a disk to its node. It is asked for once: who goes on from a saved machine finds the link. */
function nameDisk(batch: CallBatch, disk: string): void {
  const file = batch.word();
  const how = batch.numbers(openFlags.read | openFlags.closeOnExec, 0, 0);
  const path = batch.text(`/sys/block/${disk}/serial`);
  const prefix = new TextEncoder().encode("/by/");
  const link = batch.data(
    Uint8Array.from({ length: prefix.length + longestSerial + 1 }, (_, at) => prefix[at] ?? 0),
  );
  const missing = { goesOn: [anyError, noEntry, badFile, exists] };
  batch.call("openat2", [fromRoot, path, how, howBytes], { ...missing, into: file });
  batch.call("read", [file, link + prefix.length, longestSerial], missing);
  batch.call("close", [file], missing);
  batch.call("symlinkat", [batch.text(`/dev/${disk}`), fromRoot, link], missing);
}

/** A namespace with memory of its own in /run and /dev/shm. */
function makeSpace(batch: CallBatch, own: Word, space: number): void {
  const made = batch.word();
  batch.call("setns", [own, newMounts]);
  batch.call("unshare", [newMounts]);
  mount(batch, "tmpfs", "/run", noDevices, "mode=755");
  mount(batch, "tmpfs", "/dev/shm", noDevices, "mode=1777");
  openSpace(batch, made);
  batch.call("dup3", [made, space, openFlags.closeOnExec]);
  batch.call("close", [made]);
}

function openSpace(batch: CallBatch, into: Word): void {
  const how = batch.numbers(openFlags.read | openFlags.closeOnExec, 0, 0);
  const values = [fromRoot, batch.text("/proc/self/ns/mnt"), how, howBytes];
  batch.call("openat2", values, { into });
}

function makeFolder(batch: CallBatch, path: string, mode: number): void {
  batch.call("mkdirat", [fromRoot, batch.text(path), mode], { goesOn: [exists] });
}

function mount(
  batch: CallBatch,
  type: string,
  place: string,
  flags: number,
  options?: string,
  goesOn: "always" | readonly number[] = [],
): void {
  const named = batch.text(type);
  const told = options === undefined ? 0 : batch.text(options);
  batch.call("mount", [named, batch.text(place), named, flags, told], { goesOn });
}

import { readFile } from "node:fs/promises";
import { errnoOf, toIoError } from "./io-error.ts";

/** The kernel's list of file locks. Injected in tests. */
export type ReadFileLocks = () => Promise<string>;

const locksPath = "/proc/locks";

/**
 * Reads the kernel's list of file locks; empty where the system has none or hides it.
 *
 * @throws IoError when it is there and cannot be read.
 */
export async function readFileLocks(): Promise<string> {
  try {
    return await readFile(locksPath, "utf8");
  } catch (error) {
    // No /proc (another system), or hidden from this process (a hardened container): nothing can be told.
    if (["ENOENT", "EACCES", "EPERM"].includes(errnoOf(error) ?? "")) return "";
    throw toIoError(error, { action: "cannot read", path: locksPath });
  }
}

/**
 * Tells whether a process holds a record lock on a file, as QEMU does on every image that it has open.
 *
 * QEMU takes open-file-description locks (`OFDLCK`), and `POSIX` ones where the kernel lacks those. Other locks
 * (`FLOCK`, leases) say nothing about a disk being used.
 *
 * @param locks - The text of /proc/locks.
 * @param identity - Device and inode in decimal, `DEV:INO`, as `openFile` names a file.
 * @see proc_locks(5)
 */
export function isLocked(locks: string, identity: string): boolean {
  const [device = "", inode = ""] = identity.split(":");
  const wanted = `${kernelDevice(BigInt(device))}:${inode}`;
  return locks.split("\n").some((line) => {
    // 1: OFDLCK ADVISORY  READ -1 fe:00:262153 100 101, with "->" after the number when it only waits.
    const [, type, , , , file] = line.split(/\s+/);
    return (type === "OFDLCK" || type === "POSIX") && file === wanted;
  });
}

/** `st_dev` as the kernel prints it: major and minor, two hexadecimal digits or more each. */
function kernelDevice(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
  return `${hex(major)}:${hex(minor)}`;
}

function hex(value: bigint): string {
  return value.toString(16).padStart(2, "0");
}

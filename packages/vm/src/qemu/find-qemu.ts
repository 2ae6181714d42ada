import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { promisify } from "node:util";

/** A QEMU of the host. */
export interface FoundQemu {
  /** Absolute path of its program. */
  readonly path: string;
  /** Changes when the program does: a newer QEMU is another. */
  readonly identity: string;
}

/** The program that runs machines of x86-64. */
export const qemuProgram = "qemu-system-x86_64";

/** The oldest QEMU that understands how machines are described to it. */
export const oldestQemu = "6.2";

const versionTimeoutMs = 5000;

/**
 * Looks for QEMU in folders, such as those of `PATH`; the first one has it.
 *
 * @param folders - Relative ones are passed over: they would mean something else in each working folder.
 */
export async function findQemu(folders: readonly string[]): Promise<FoundQemu | undefined> {
  const path = await findProgram(qemuProgram, folders);
  if (path === undefined) return undefined;
  const { ino, size, mtimeMs } = await stat(path);
  return { path, identity: `${path}:${ino}:${size}:${mtimeMs}` };
}

/** Looks for a program in folders. */
export async function findProgram(
  name: string,
  folders: readonly string[],
): Promise<string | undefined> {
  for (const folder of folders) {
    if (!isAbsolute(folder)) continue;
    const path = join(folder, name);
    if (await isProgram(path)) return path;
  }
  return undefined;
}

/** What a QEMU says its version is, such as `7.2.22`; nothing when it cannot be run or says something else. */
export async function readQemuVersion(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ["--version"], {
      timeout: versionTimeoutMs,
      killSignal: "SIGKILL",
      maxBuffer: 64 * 1024,
      env: {},
    });
    return parseQemuVersion(stdout);
  } catch {
    return undefined;
  }
}

/** The version in what `qemu-system-x86_64 --version` prints. */
export function parseQemuVersion(text: string): string | undefined {
  return /^QEMU emulator version (\d{1,4}\.\d{1,4}(?:\.\d{1,4})?)/.exec(text)?.[1];
}

/** Whether a version is one that can run machines. */
export function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldestQemu.split(".").map(Number);
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

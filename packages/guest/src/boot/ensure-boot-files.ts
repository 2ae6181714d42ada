import { createHash, randomUUID } from "node:crypto";
import { access, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bootCalls, endCalls } from "../calls/boot-calls.ts";
import { assembleInitramfs } from "../initramfs/assemble-initramfs.ts";
import { extractVmlinux } from "../kernel/extract-vmlinux.ts";
import type { KernelFiles } from "../kernel/find-kernel.ts";
import { guestModules, networkModules, readModules } from "../kernel/resolve-modules.ts";

/** Raised when the same files give other boot files. */
const formatVersion = 2;

/** What a virtual machine boots. */
export interface BootFiles {
  /** Path of the kernel: uncompressed where that boots faster and is possible. */
  readonly kernel: string;
  /** Path of the initramfs. */
  readonly initrd: string;
  /** Release of the kernel. */
  readonly release: string;
  /** `sha256:` and 64 hexadecimal digits over the kernel and the initramfs: a saved machine fits exactly these. */
  readonly digest: string;
}

/** What boot files are made from. */
export interface EnsureBootFilesOptions {
  /** Folder that they are kept in, by what they were made from. Is made when it is missing. */
  readonly cacheDirectory: string;
  /** The kernel and its modules. */
  readonly kernel: KernelFiles;
  /** Path of the compiled agent. */
  readonly agent: string;
  /** Whether the guest has a network card; without one it needs no driver for it. */
  readonly hasNetwork?: boolean | undefined;
}

/**
 * Makes the kernel and the initramfs of a guest, unless the same were made before. Several processes may do it at once.
 *
 * Whether they were is told by sizes and times of the files that they are made from: nothing is read when nothing changed.
 *
 * @throws GuestError `GUEST_KERNEL_MISSING`, `GUEST_KERNEL_INVALID`, `GUEST_KERNEL_UNSUPPORTED`.
 */
export async function ensureBootFiles(options: EnsureBootFilesOptions): Promise<BootFiles> {
  const { cacheDirectory } = options;
  await mkdir(cacheDirectory, { recursive: true });
  const note = join(cacheDirectory, `boot-${(await stampOf(options)).slice(0, 32)}.json`);
  const noted = await readNote(note);
  if (noted !== undefined) return noted;
  const files = await makeBootFiles(options);
  await publish(note, new TextEncoder().encode(JSON.stringify(files)));
  return files;
}

async function makeBootFiles(options: EnsureBootFilesOptions): Promise<BootFiles> {
  const { cacheDirectory, kernel, agent, hasNetwork = false } = options;
  const names = hasNetwork ? networkModules : guestModules;
  const modules = await readModules(kernel.modulesDirectory, names);
  const initramfs = assembleInitramfs({ agent: await readFile(agent), modules });
  const initrdDigest = digestOf(initramfs);
  const initrd = join(cacheDirectory, `initrd-${initrdDigest.slice(0, 32)}`);
  await publish(initrd, initramfs);
  const image = await readFile(kernel.image);
  const imageDigest = digestOf(image);
  const vmlinux = join(cacheDirectory, `vmlinux-${imageDigest.slice(0, 32)}`);
  const isKept = (await stat(vmlinux).catch(() => undefined)) !== undefined;
  const unpacked = isKept ? undefined : extractVmlinux(image);
  if (unpacked !== undefined) await publish(vmlinux, unpacked);
  return {
    kernel: isKept || unpacked !== undefined ? vmlinux : kernel.image,
    initrd,
    release: kernel.release,
    digest: `sha256:${digestOf(`${imageDigest}\n${initrdDigest}\n`)}`,
  };
}

/** Changes with every file that boot files are made from, and with how they are made. */
async function stampOf({
  kernel,
  agent,
  hasNetwork = false,
}: EnsureBootFilesOptions): Promise<string> {
  const steps = [bootCalls([]), endCalls()].map(digestOf);
  const lists = ["modules.dep", "modules.order", "modules.builtin"];
  const paths = [kernel.image, agent, ...lists.map((name) => join(kernel.modulesDirectory, name))];
  const stamps = await Promise.all(
    paths.map(async (path) => {
      const facts = await stat(path, { bigint: true }).catch(() => undefined);
      return facts && [facts.size, facts.mtimeNs, facts.ctimeNs, facts.ino].map(String);
    }),
  );
  return digestOf(JSON.stringify([formatVersion, steps, kernel, agent, hasNetwork, stamps]));
}

/** What was made before, when it is all there still. */
async function readNote(path: string): Promise<BootFiles | undefined> {
  try {
    const files = JSON.parse(await readFile(path, "utf8")) as BootFiles;
    await Promise.all([access(files.kernel), access(files.initrd)]);
    return files;
  } catch {
    return undefined;
  }
}

/** Visible under its name only when it is whole. */
async function publish(path: string, bytes: Uint8Array): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  try {
    await writeFile(draft, bytes, { flush: true });
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}

function digestOf(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}

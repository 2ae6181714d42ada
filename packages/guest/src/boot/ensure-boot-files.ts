import { createHash, randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { assembleInitramfs } from "../initramfs/assemble-initramfs.ts";
import { extractVmlinux } from "../kernel/extract-vmlinux.ts";
import type { KernelFiles } from "../kernel/find-kernel.ts";
import { readModules } from "../kernel/resolve-modules.ts";

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
  readonly kernel: KernelFiles;
  /** Path of the compiled agent. */
  readonly agent: string;
}

/**
 * Makes the kernel and the initramfs of a guest, unless the same were made before. Several processes may do it at once.
 *
 * @throws {@link GuestError} `GUEST_KERNEL_MISSING`, `GUEST_KERNEL_INVALID`, `GUEST_KERNEL_UNSUPPORTED`.
 */
export async function ensureBootFiles(options: EnsureBootFilesOptions): Promise<BootFiles> {
  const { cacheDirectory, kernel, agent } = options;
  await mkdir(cacheDirectory, { recursive: true });
  const modules = await readModules(kernel.modulesDirectory);
  const initramfs = assembleInitramfs({ agent: await readFile(agent), modules });
  const initrdDigest = digestOf(initramfs);
  const initrd = join(cacheDirectory, `initrd-${initrdDigest.slice(0, 32)}`);
  if (!(await hasSize(initrd, initramfs.length))) await publish(initrd, initramfs);
  // Reading 14 MB is much quicker than unpacking them: the digest of the image names what comes out.
  const image = await readFile(kernel.image);
  const imageDigest = digestOf(image);
  const vmlinux = join(cacheDirectory, `vmlinux-${imageDigest.slice(0, 32)}`);
  const isKept = await stat(vmlinux).catch(() => undefined);
  const unpacked = isKept === undefined ? extractVmlinux(image) : undefined;
  if (unpacked !== undefined) await publish(vmlinux, unpacked);
  const isUnpacked = isKept !== undefined || unpacked !== undefined;
  return {
    kernel: isUnpacked ? vmlinux : kernel.image,
    initrd,
    release: kernel.release,
    digest: `sha256:${digestOf(`${imageDigest}\n${initrdDigest}\n`)}`,
  };
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

async function hasSize(path: string, sizeBytes: number): Promise<boolean> {
  return stat(path).then(
    ({ size }) => size === sizeBytes,
    () => false,
  );
}

function digestOf(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}

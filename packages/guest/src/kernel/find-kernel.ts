import { access, readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { GuestError } from "../errors.ts";

/** A kernel and its modules on this machine. */
export interface KernelFiles {
  /** Path of the image. */
  readonly image: string;
  /** Its release, such as `6.1.0-56-cloud-amd64`. */
  readonly release: string;
  /** Folder of its modules. */
  readonly modulesDirectory: string;
}

/** Where a kernel is looked for. */
export interface FindKernelOptions {
  /** A kernel's image. Its modules are in `lib/modules/RELEASE` below the folder above its own, or in `/lib/modules/RELEASE`. */
  readonly image?: string;
  /** Folders that hold `boot` and `lib/modules`, tried in order: those that packages were unpacked in, and `/`. */
  readonly roots?: readonly string[];
}

/**
 * Finds a kernel that can boot a guest: the one named, else the newest cloud kernel.
 *
 * @throws GuestError `GUEST_KERNEL_MISSING`.
 */
export async function findKernel(options: FindKernelOptions = {}): Promise<KernelFiles> {
  const { image, roots = ["/"] } = options;
  if (image !== undefined) return kernelAt(image);
  for (const root of roots) {
    const names = await namesIn(join(root, "boot"));
    const images = names.filter((name) => /^vmlinuz-.*cloud/.test(name)).sort(byVersion);
    for (const name of images.reverse()) {
      const release = name.slice("vmlinuz-".length);
      const modulesDirectory = join(root, "lib/modules", release);
      if (!(await isThere(modulesDirectory))) continue;
      return { image: join(root, "boot", name), release, modulesDirectory };
    }
  }
  throw missing(
    `there is no cloud kernel in ${roots.map((root) => join(root, "boot")).join(", ")}`,
  );
}

async function kernelAt(image: string): Promise<KernelFiles> {
  if (!(await isThere(image))) throw missing(`there is no kernel ${image}`);
  const release = basename(image).replace(/^(vmlinuz|vmlinux|Image)-/, "");
  for (const root of [dirname(dirname(image)), "/"]) {
    const modulesDirectory = join(root, "lib/modules", release);
    if (await isThere(modulesDirectory)) return { image, release, modulesDirectory };
  }
  throw missing(`there are no modules of the kernel ${image}: no folder lib/modules/${release}`);
}

/** Numbers in names count as numbers: 6.1.0-9 comes before 6.1.0-56. */
function byVersion(left: string, right: string): number {
  return left.localeCompare(right, "en", { numeric: true });
}

function missing(message: string): GuestError {
  return new GuestError({
    code: "GUEST_KERNEL_MISSING",
    message,
    hint: "install linux-image-cloud-amd64 (Debian), or name another kernel",
  });
}

async function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

import { cp, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GuestError } from "../errors.ts";
import { runProgram } from "../internal/run-program.ts";
import { findKernel, type KernelFiles } from "./find-kernel.ts";
import { readModuleIndex } from "./module-index.ts";
import { guestModules, orderModules } from "./resolve-modules.ts";

/** How a kernel's package is unpacked. */
export interface UnpackKernelOptions {
  /** Folder that gets `boot` and `lib/modules`, made when it is missing. Earlier kernels stay in it. */
  readonly directory: string;
  /** Stops it. */
  readonly signal?: AbortSignal;
}

/** The package whose dependency is the newest cloud kernel. */
const metaPackage = `linux-image-cloud-${process.arch === "arm64" ? "arm64" : "amd64"}`;

/**
 * Fetches Debian's cloud kernel with apt, which verifies it, and unpacks what a guest needs without installing anything. Needs
 * no root.
 *
 * @throws GuestError `GUEST_KERNEL_UNPACK_FAILED`, `GUEST_KERNEL_MISSING`.
 */
export async function fetchKernel(options: UnpackKernelOptions): Promise<KernelFiles> {
  const { directory, signal } = options;
  const depends = await run("apt-cache", ["depends", "--important", metaPackage], {}, signal);
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (name === undefined) throw unpackFailed(`apt knows no package ${metaPackage}`, depends);
  return withScratch(directory, async (scratch) => {
    await run("apt-get", ["download", "-q", name], { cwd: scratch }, signal);
    const file = (await readdir(scratch)).find((entry) => entry.endsWith(".deb"));
    if (file === undefined) throw unpackFailed(`apt left no file of ${name}`, "");
    return unpackKernelPackage(join(scratch, file), options);
  });
}

/**
 * Unpacks what a guest needs from a Debian package of a kernel: its image and a few modules.
 *
 * @throws GuestError `GUEST_KERNEL_UNPACK_FAILED`, `GUEST_KERNEL_MISSING`.
 */
export async function unpackKernelPackage(
  path: string,
  options: UnpackKernelOptions,
): Promise<KernelFiles> {
  const { directory, signal } = options;
  return withScratch(directory, async (scratch) => {
    await run("dpkg-deb", ["--extract", path, scratch], {}, signal);
    const { image, release, modulesDirectory } = await findKernel({ roots: [scratch] });
    const draft = join(scratch, "draft");
    const lists = (await readdir(modulesDirectory)).filter((name) => name.startsWith("modules."));
    const modules = await orderModules(await readModuleIndex(modulesDirectory), guestModules);
    for (const name of [...lists, ...modules]) {
      await mkdir(dirname(join(draft, name)), { recursive: true });
      await cp(join(modulesDirectory, name), join(draft, name));
    }
    // The image last: a kernel is there when its image is.
    const kept = {
      image: join(directory, "boot", `vmlinuz-${release}`),
      release,
      modulesDirectory: join(directory, "lib/modules", release),
    };
    await mkdir(dirname(kept.image), { recursive: true });
    await mkdir(dirname(kept.modulesDirectory), { recursive: true });
    await rm(kept.modulesDirectory, { recursive: true, force: true });
    await rename(draft, kept.modulesDirectory);
    await rename(image, kept.image);
    return kept;
  });
}

async function withScratch<T>(
  directory: string,
  work: (scratch: string) => Promise<T>,
): Promise<T> {
  await mkdir(directory, { recursive: true });
  const scratch = await mkdtemp(join(directory, "unpack-"));
  try {
    return await work(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string },
  signal: AbortSignal | undefined,
): Promise<string> {
  const done = await runProgram(program, args, { ...options, ...(signal && { signal }) });
  if (done === undefined)
    throw unpackFailed(`there is no ${program}: this needs Debian or Ubuntu`, "");
  if (done.exitCode !== 0) throw unpackFailed(`${program} ${args.join(" ")} failed`, done.output);
  return done.output;
}

function unpackFailed(message: string, output: string): GuestError {
  return new GuestError({
    code: "GUEST_KERNEL_UNPACK_FAILED",
    message,
    details: { output: output.slice(-2000) },
    hint: "run apt-get update and try again, or name a kernel that is there already",
  });
}

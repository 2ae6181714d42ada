import { join } from "node:path";

/** What boots is made once for all tests, in the cache of the repository. */
const realCache = join(import.meta.dirname, "../../../../.cache");

/** The environment of commands that boot machines. */
export interface RealEnvironment extends Record<string, string> {
  readonly BOX_KERNEL: string;
}

/** The environment in which box finds QEMU and the kernel of the tests; undefined without a kernel. */
export async function realEnvironment(): Promise<RealEnvironment | undefined> {
  const { findKernel } = await import("@box/guest/boot");
  const roots = [join(realCache, "cli/box/kernel"), join(realCache, "kernel"), "/"];
  const kernel = await findKernel({ roots }).catch(() => undefined);
  if (kernel === undefined) return undefined;
  return {
    PATH: process.env["PATH"] ?? "",
    XDG_CACHE_HOME: join(realCache, "cli"),
    BOX_ACCEL: "tcg",
    BOX_KERNEL: kernel.image,
  };
}

import { join } from "node:path";
import type { BootFiles } from "@box/vm/qemu";

/** Where what machines boot comes from. */
export interface BootSources {
  /** Where it is kept. */
  readonly cacheFolder: string;
  /** The kernel that the user named. */
  readonly kernel: string | undefined;
  /** Whether machines with a network card boot it. */
  readonly hasNetwork: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Makes what machines boot: a kernel of the host, and an initial RAM disk with the agent. Kept between runs. */
export async function findBootFiles(sources: BootSources): Promise<BootFiles> {
  const { cacheFolder, kernel, hasNetwork, signal } = sources;
  const { ensureAgent, ensureBootFiles, findKernel } = await import("@box/guest/boot");
  const cacheDirectory = join(cacheFolder, "boot");
  const unpacked = join(cacheFolder, "kernel");
  const found = await findKernel(
    kernel === undefined ? { roots: [unpacked, "/"] } : { image: kernel },
  );
  const stoppable = signal === undefined ? {} : { signal };
  const agent = await ensureAgent({ cacheDirectory, ...stoppable });
  return ensureBootFiles({ cacheDirectory, kernel: found, agent: agent.path, hasNetwork });
}

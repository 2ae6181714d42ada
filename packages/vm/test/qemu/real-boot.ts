import { join } from "node:path";
import { type BootFiles, compileAgent, ensureBootFiles, findKernel } from "@box/guest/boot";
import { qemuPath } from "./oracle.ts";

const cache = join(import.meta.dirname, "../../../../.cache");

/** What real machines boot, without and with a network card. */
export interface RealBoot {
  readonly plain: BootFiles;
  readonly withNetwork: BootFiles;
}

/** What real machines of tests boot: the kernel that the oracles bring. Its absence skips what needs it. */
export async function bootFilesOfTests(): Promise<RealBoot | undefined> {
  if (qemuPath === undefined) return undefined;
  try {
    const kernel = await findKernel({ roots: [join(cache, "kernel"), "/"] });
    const cacheDirectory = join(cache, "boot");
    const agent = await compileAgent({ cacheDirectory });
    const options = { cacheDirectory, kernel, agent: agent.path };
    return {
      plain: await ensureBootFiles(options),
      withNetwork: await ensureBootFiles({ ...options, hasNetwork: true }),
    };
  } catch (error) {
    process.stderr.write(`skipping: ${(error as Error).message}\n`);
    return undefined;
  }
}

import { join } from "node:path";
import { type BootFiles, compileAgent, ensureBootFiles, findKernel } from "@box/guest/boot";
import { qemuPath } from "./oracle.ts";

const cache = join(import.meta.dirname, "../../../../.cache");

/** What real machines of tests boot: the kernel that the oracles bring. Its absence skips what needs it. */
export async function bootFilesOfTests(): Promise<BootFiles | undefined> {
  if (qemuPath === undefined) return undefined;
  try {
    const kernel = await findKernel({ roots: [join(cache, "kernel"), "/"] });
    const cacheDirectory = join(cache, "boot");
    const agent = await compileAgent({ cacheDirectory });
    return await ensureBootFiles({ cacheDirectory, kernel, agent: agent.path });
  } catch (error) {
    process.stderr.write(`skipping: ${(error as Error).message}\n`);
    return undefined;
  }
}

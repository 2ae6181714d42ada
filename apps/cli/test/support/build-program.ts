import { fileURLToPath } from "node:url";
import { build } from "tsup";
import options from "../../tsup.config.ts";

/** Where the program under test is built, below a folder that git does not see. */
export const builtFolder: string = fileURLToPath(new URL("../../.results/dist/", import.meta.url));

/** Builds the program once for all tests that run it as a process: what ships is what is tested. */
export async function setup(): Promise<void> {
  await build({ ...options, config: false, outDir: builtFolder, sourcemap: false, silent: true });
}

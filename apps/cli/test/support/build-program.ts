import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import programs from "../../rolldown.config.ts";

/** Where the program under test is built, below a folder that git does not see. */
export const builtFolder: string = fileURLToPath(new URL("../../.results/dist/", import.meta.url));

const packageFolder = fileURLToPath(new URL("../../", import.meta.url));

/** Builds the program once for all tests that run it as a process: what ships is what is tested. */
export async function setup(): Promise<void> {
  for (const options of programs) {
    await using bundle = await rolldown({ ...options, cwd: packageFolder });
    await bundle.write({ ...options.output, dir: builtFolder, sourcemap: false });
  }
}

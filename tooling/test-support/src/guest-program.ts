import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const source = fileURLToPath(new URL("../guest/contract.c", import.meta.url));
const compilers = ["musl-gcc", "gcc", "cc"];

/** What a program of an image needs: nothing, or musl's loader at {@link muslLoader}, as programs of Alpine do. */
export type ProgramLinks = "static" | "musl";

/** Where programs of Alpine look for their C library, on amd64. Debian's package has it in the same place. */
export const muslLoader = "/lib/ld-musl-x86_64.so.1";

/** Compiles the program that boxes of tests run; undefined where there is no compiler that can. */
export async function compileGuestProgram(
  folder: string,
  links: ProgramLinks = "static",
): Promise<string | undefined> {
  const path = join(folder, links === "static" ? "contract" : "contract-musl");
  const words = [...(links === "static" ? ["-static"] : []), "-Os", "-s", "-o", path, source];
  for (const compiler of links === "static" ? compilers : ["musl-gcc"]) {
    try {
      await promisify(execFile)(compiler, words);
      return path;
    } catch {}
  }
  return undefined;
}

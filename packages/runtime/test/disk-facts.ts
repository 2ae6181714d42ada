import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";

/** Everything by which a change of a file shows. */
export async function factsOf(path: string): Promise<Readonly<Record<string, unknown>>> {
  const { size, mtimeNs, ctimeNs, ino, mode } = await stat(path, { bigint: true });
  const digest = createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
  return { size, mtimeNs, ctimeNs, ino, mode, digest };
}

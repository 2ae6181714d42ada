import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Stores every byte of the files in a folder: QEMU asks the file system for holes, and without any both know the same. */
export function fillHoles(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    writeFileSync(path, readFileSync(path));
  }
}

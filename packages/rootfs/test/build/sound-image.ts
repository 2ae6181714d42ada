import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MemoryFile } from "@box/io";
import { missing, output } from "../overlay/program.ts";

/** The bytes of a file system that was built, after e2fsck has found nothing in it. */
export async function soundBytes(image: MemoryFile): Promise<Uint8Array> {
  const bytes = image.toBytes();
  if (missing("e2fsck") === undefined) await checkSound(bytes);
  return bytes;
}

/** Throws what e2fsck says when it is not content. */
async function checkSound(bytes: Uint8Array): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "box-build-"));
  try {
    const path = join(folder, "base.ext4");
    writeFileSync(path, bytes);
    const report = await output("e2fsck", "-fn", path);
    if (/fix|WARNING/i.test(report)) throw new Error(report);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

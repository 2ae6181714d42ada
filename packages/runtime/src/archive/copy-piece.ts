import { createHash } from "node:crypto";
import type { OpenFile, RandomAccess } from "@box/io";
import type { TaskContext } from "@box/pipeline";
import type { BoxOwnEvent } from "../events.ts";
import type { ArchivePiece } from "./archive-plan.ts";
import { corrupt } from "./read-archive.ts";

const stepBytes = 1024 * 1024;
const blockBytes = 4096;
const zeros = Buffer.alloc(blockBytes);

/**
 * Copies the content of an entry into a new file, with holes for blocks of zeros, and checks it on the way.
 *
 * @throws RuntimeError `BOX_ARCHIVE_CORRUPT` when it is not as described, also because the archive was changed meanwhile.
 */
export async function copyPiece(
  archive: OpenFile,
  { offset, sizeBytes }: ArchivePiece,
  digest: string,
  target: RandomAccess,
  path: string,
  context: Pick<TaskContext<BoxOwnEvent>, "signal" | "progress">,
): Promise<void> {
  const hash = createHash("sha256");
  for (let done = 0; done < sizeBytes; done += stepBytes) {
    context.signal.throwIfAborted();
    const bytes = await archive.read(offset + done, Math.min(stepBytes, sizeBytes - done));
    hash.update(bytes);
    for (let at = 0; at < bytes.byteLength; at += blockBytes) {
      const block = bytes.subarray(at, at + blockBytes);
      if (zeros.compare(block, 0, block.byteLength, 0, block.byteLength) !== 0) {
        await target.write?.(done + at, block);
      }
    }
    context.progress({
      done: done + bytes.byteLength,
      total: sizeBytes,
      unit: "bytes",
      item: digest,
    });
  }
  await target.truncate?.(sizeBytes);
  if (`sha256:${hash.digest("hex")}` !== digest) {
    throw corrupt(path, "an entry is not as its description says");
  }
}

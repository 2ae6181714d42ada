import type { RandomAccess } from "@box/io";
import { throwIfAborted, toSourceError } from "../bytes/source-reader.ts";
import { Qcow2Error } from "../errors.ts";
import type { ImagePiece } from "./write-metadata.ts";

/**
 * Makes an empty file the size of the image: by truncation, or by a byte at its end.
 *
 * @throws {@link Qcow2Error} `QCOW2_TARGET_NOT_EMPTY` (conflict), `QCOW2_READ_ONLY`, or what the target failed with.
 */
export async function prepareTarget(target: RandomAccess, lengthBytes: number): Promise<void> {
  if (!target.write) throw readOnly();
  const sizeBytes = await attempt("read the size of the target", () => target.size());
  if (sizeBytes !== 0) {
    throw new Qcow2Error({
      code: "QCOW2_TARGET_NOT_EMPTY",
      message: `the target has ${sizeBytes} bytes already; an image is only made in an empty file`,
    });
  }
  // An empty file is left as it is: ext4 writes all of a file that was truncated to nothing to the disk when it is closed.
  if (lengthBytes === 0) return;
  await attempt("set the size of the target", async () => {
    if (target.truncate) await target.truncate(lengthBytes);
    else await writeTo(target, lengthBytes - 1, new Uint8Array(1));
  });
}

/** Writes pieces in their order; stops between two of them when it is aborted. */
export async function writePieces(
  target: RandomAccess,
  pieces: Iterable<ImagePiece>,
  signal?: AbortSignal,
): Promise<void> {
  for (const { offset, bytes } of pieces) {
    throwIfAborted(signal);
    await attempt(`write ${bytes.byteLength} bytes at byte ${offset} of the image`, () =>
      writeTo(target, offset, bytes),
    );
  }
}

async function writeTo(target: RandomAccess, offset: number, bytes: Uint8Array): Promise<void> {
  if (!target.write) throw readOnly();
  await target.write(offset, bytes);
}

async function attempt<Value>(action: string, run: () => Promise<Value>): Promise<Value> {
  try {
    return await run();
  } catch (cause) {
    throw cause instanceof Qcow2Error ? cause : toSourceError(cause, action);
  }
}

function readOnly(): Qcow2Error {
  return new Qcow2Error({ code: "QCOW2_READ_ONLY", message: "the target cannot be written" });
}

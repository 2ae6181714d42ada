import { isBoxError } from "@box/errors";
import { openFile } from "@box/io/node";

const stepBytes = 512 * 1024;

/** Reads a part of a file; `end` is not included. */
export async function* readPart(
  path: string,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  await using file = await openFile(path);
  for (let position = start; position < end; position += stepBytes) {
    yield await file.read(position, Math.min(stepBytes, end - position));
  }
}

/** Reads a small file whole; nothing when there is none. */
export async function readSmall(
  path: string,
  maxBytes: number = 64 * 1024,
): Promise<Uint8Array | undefined> {
  try {
    await using file = await openFile(path);
    return await file.read(0, Math.min(await file.size(), maxBytes));
  } catch (error) {
    if (isBoxError(error) && error.code === "IO_NOT_FOUND") return undefined;
    throw error;
  }
}

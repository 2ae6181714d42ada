import type { RandomAccess } from "@box/io";
import type { CommandContext } from "../../command/define-command.ts";
import { findPath } from "../../rootfs/image-path.ts";
import { withRootfs } from "../../rootfs/open-rootfs.ts";
import type { RootfsCatInput } from "./schemas.ts";

const chunkBytes = 2 ** 20;

/** Prints the file's bytes. */
export async function run(input: RootfsCatInput, context: CommandContext): Promise<undefined> {
  await withRootfs(input.file, input, context, async (reader) => {
    const { inode } = await findPath(reader, input.path, { followsLast: true });
    await context.writeBytes(chunksOf(await reader.openFile(inode), context.signal));
  });
}

/** Nothing: the bytes have been printed. */
export function text(): string {
  return "";
}

async function* chunksOf(file: RandomAccess, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const size = await file.size();
  for (let offset = 0; offset < size; offset += chunkBytes) {
    signal.throwIfAborted();
    yield await file.read(offset, Math.min(chunkBytes, size - offset));
  }
}

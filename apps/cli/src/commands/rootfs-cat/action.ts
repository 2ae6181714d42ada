import type { RandomAccess } from "@box/io";
import type { CommandContext } from "../../command/define-command.ts";
import { CliError } from "../../errors.ts";
import { findPath } from "../../rootfs/image-path.ts";
import { withRootfs } from "../../rootfs/open-rootfs.ts";
import type { RootfsCatInput } from "./schemas.ts";

const chunkBytes = 2 ** 20;

/** Prints the file's bytes. */
export async function run(input: RootfsCatInput, context: CommandContext): Promise<undefined> {
  await withRootfs(input.file, input, context, async (reader) => {
    const { inode, type } = await findPath(reader, input.path, { followsLast: true });
    if (type !== "file") throw noFile(input, type);
    await context.writeBytes(chunksOf(await reader.openFile(inode), context.signal));
  });
}

function noFile({ file, path }: RootfsCatInput, type: string): CliError {
  return new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `${path} is a ${type}, not a file`,
    details: { path, type },
    hint: `look at it with: box rootfs ls ${file} ${path}`,
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

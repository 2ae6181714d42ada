import { dirname, resolve } from "node:path";
import { BoxError, isBoxError } from "@box/errors";
import { type Ext4Reader, readExt4 } from "@box/ext4";
import type { RandomAccess } from "@box/io";
import { openFile } from "@box/io/node";
import type { CommandContext } from "../command/define-command.ts";

/** Which disk a command reads, as its flags say. */
export interface RootfsInput {
  /** Its format: the file system itself, or a qcow2 with it. */
  readonly inputFormat?: "ext4" | "qcow2" | undefined;
  /** Folders in which backing files may lie. */
  readonly allow?: readonly string[] | undefined;
}

/** Opens a disk, gives its file system's bytes to `work`, and says in every error which file it was. */
export async function withDisk<T>(
  file: string,
  input: RootfsInput,
  context: CommandContext,
  work: (disk: RandomAccess) => Promise<T>,
): Promise<T> {
  const path = resolve(context.cwd, file);
  try {
    await using disk = await openDisk(path, input, context);
    return await work(disk);
  } catch (error) {
    // Of two disks, the one that was opened inside the other's work has been named.
    if (!isBoxError(error) || "file" in error.details) throw error;
    throw naming(file, path, hintsFor(input)[error.code], error);
  }
}

/** {@link withDisk} for its file system. */
export function withRootfs<T>(
  file: string,
  input: RootfsInput,
  context: CommandContext,
  work: (reader: Ext4Reader) => Promise<T>,
): Promise<T> {
  return withDisk(file, input, context, async (disk) =>
    work(await readExt4(disk, { maxAttributeBytes })),
  );
}

/** What is listed is held in memory. */
const maxAttributeBytes = 256 * 2 ** 20;

async function openDisk(
  path: string,
  { inputFormat = "ext4", allow }: RootfsInput,
  { cwd, signal }: CommandContext,
): Promise<RandomAccess & AsyncDisposable> {
  if (inputFormat === "ext4") return openFile(path);
  const { openImageFile, withinDirectory } = await import("@box/qcow2/node");
  const folders = allow === undefined || allow.length === 0 ? [dirname(path)] : allow;
  const resolvers = folders.map((folder) => withinDirectory(resolve(cwd, folder)));
  return openImageFile(path, {
    signal,
    backing: async (request) => {
      for (const resolver of resolvers) {
        const found = await resolver(request);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  });
}

function naming(file: string, path: string, advice: string | undefined, error: BoxError): BoxError {
  const { code, kind, message, details, retryable, cause } = error;
  const hint = advice ?? error.hint;
  return new BoxError({
    code,
    kind,
    message: message.includes(path) ? message : `${file}: ${message}`,
    details: { file, ...details },
    ...(hint === undefined ? {} : { hint }),
    retryable,
    cause,
  });
}

/** What to do next, in the words of these commands. */
function hintsFor({ inputFormat }: RootfsInput): Readonly<Record<string, string>> {
  if (inputFormat !== "qcow2") {
    return {
      EXT4_BAD_MAGIC: "add --input-format qcow2 when it is a qcow2 with a file system in it",
    };
  }
  return {
    QCOW2_BACKING_DENIED: "allow the folder of the backing file with --allow DIR",
    QCOW2_BAD_MAGIC: "leave --input-format away when it is the file system itself",
  };
}

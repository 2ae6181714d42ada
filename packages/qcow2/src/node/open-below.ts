import { constants } from "node:fs";
import { access, type FileHandle, open } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import type { OpenFile } from "@box/io";
import { errnoOf, type FileSystem, nodeFileSystem, openFile } from "@box/io/node";

/**
 * Opens a file below a folder, both by paths without links, so that no link that someone puts into the path meanwhile is
 * followed: each folder on the way is opened from the one above it.
 *
 * Only Linux can do that; elsewhere it is the last part of the path alone that must not be a link.
 *
 * @throws IoError as {@link openFile} does; `IO_FAILED` with `ELOOP` or `ENOTDIR` for a link on the way.
 */
export async function openBelow(folder: string, path: string, mode: "r" | "rw"): Promise<OpenFile> {
  if (process.platform !== "linux") return openFile(path, { mode, followLink: false });
  const names = relative(folder, path).split(sep);
  const openFrom: FileSystem["open"] = async (_path, flags) => {
    let above = await open(folder, folderFlags);
    try {
      for (const name of names.slice(0, -1)) above = await stepInto(above, name);
      return await nodeFileSystem.open(entryOf(above, names.at(-1) ?? ""), flags);
    } catch (error) {
      // Without the folder of descriptors nothing is known about the file: it is not missing.
      if (errnoOf(error) === "ENOENT") await requireDescriptors();
      throw error;
    } finally {
      await above.close();
    }
  };
  return openFile(path, { mode, followLink: false, fs: { ...nodeFileSystem, open: openFrom } });
}

const descriptors = "/proc/self/fd";
const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

async function stepInto(above: FileHandle, name: string): Promise<FileHandle> {
  const next = await open(entryOf(above, name), folderFlags);
  await above.close();
  return next;
}

/** The entry of an open folder, by way of its descriptor. */
function entryOf(above: FileHandle, name: string): string {
  return join(descriptors, String(above.fd), name);
}

async function requireDescriptors(): Promise<void> {
  try {
    await access(descriptors);
  } catch (cause) {
    throw Object.assign(new Error(`${descriptors} is needed for it, and is not there`, { cause }), {
      code: "ENOTSUP",
    });
  }
}

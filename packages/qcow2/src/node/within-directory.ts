import { realpath } from "node:fs/promises";
import { dirname, isAbsolute, resolve, sep } from "node:path";
import type { OpenFile, RandomAccess } from "@box/io";
import { toIoError } from "@box/io/node";
import type { FileResolver } from "../chain/resolver.ts";
import { openBelow } from "./open-below.ts";
import { onlyWriter } from "./written-files.ts";

/**
 * Allows files whose real path is below a folder; symbolic links that lead out of it are refused. A relative name is
 * taken from the folder of the image that holds it, or from `root` when that is not known.
 *
 * A name is always a path: `json:`, `nbd:` and the like are never interpreted. A name that is not UTF-8 is refused, and
 * so is everything but a regular file. A file that is to be written and is open for writing already, by this or by
 * {@link openFile}, is `QCOW2_FILE_IN_USE`.
 */
export function withinDirectory(root: string): FileResolver {
  return async ({ name, fromLocation, mode }) => {
    if (name === undefined) return undefined;
    const folder = await realpathOf(root);
    const base = fromLocation === undefined ? folder : dirname(fromLocation);
    const path = await realpathOf(isAbsolute(name) ? name : resolve(base, name));
    if (path !== folder && !path.startsWith(folder.endsWith(sep) ? folder : folder + sep)) {
      return undefined;
    }
    // The path has no links any more; one that appears now is not followed.
    const file = await openBelow(folder, path, mode);
    const source = await onlyWriter(file, path, mode).catch((error) => refusedFile(file, error));
    return { source, location: path };
  };
}

/**
 * A file that is open for writing already. It is refused once it is looked at: before that it is compared with the other
 * files of the chain, and an image that names itself, or one file twice, is to be told so.
 */
function refusedFile(file: OpenFile, error: unknown): RandomAccess {
  const identity = file.identity?.();
  const refuse = async (): Promise<never> => {
    throw error;
  };
  return {
    size: refuse,
    read: refuse,
    write: refuse,
    ...(identity !== undefined && { identity: () => identity }),
  };
}

async function realpathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    throw toIoError(error, { action: "cannot find", path });
  }
}

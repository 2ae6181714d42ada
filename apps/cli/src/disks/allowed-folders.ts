import { realpath } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { RandomAccess } from "@box/io";
import { type FileRequest, type FileResolver, Qcow2Error } from "@box/qcow2";
import { withinDirectory } from "@box/qcow2/node";
import { CliError } from "../errors.ts";

/** A file that was opened because an image names it. */
export interface DiskMember {
  /** What it is to the image. */
  readonly role: "backing" | "data-file";
  /** How deep in the chain it is: 1 for the backing file of the image itself, 0 for its data file. */
  readonly depth: number;
  /** The name as it stands in the image, for people. */
  readonly name: string;
  /** Its real path. */
  readonly path: string;
  /** Its format. */
  readonly format: string;
  /** The open file. */
  readonly source: RandomAccess;
}

/**
 * The folders of `--allow`, absolute; the image's own folder when there are none.
 *
 * @throws CliError `CLI_INVALID_ARGUMENT` for one that is not there.
 */
export async function allowedFolders(
  given: readonly string[] | undefined,
  imagePath: string,
  cwd: string,
): Promise<readonly string[]> {
  if (given === undefined || given.length === 0) return [dirname(imagePath)];
  return Promise.all(given.map((folder) => requireFolder(folder, resolve(cwd, folder))));
}

async function requireFolder(given: string, path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (cause) {
    throw new CliError({
      code: "CLI_INVALID_ARGUMENT",
      message: `--allow: there is no folder ${given}`,
      hint: "name a folder that holds the backing or data files",
      cause,
    });
  }
}

/** Opens what an image names only below some folders, and says which one to allow when it refuses. */
export function resolverWithin(
  folders: readonly string[],
  onOpen: (member: DiskMember) => void,
): FileResolver {
  const resolvers = folders.map((folder) => withinDirectory(folder));
  return async (request) => {
    for (const resolver of resolvers) {
      const found = await resolver(request);
      if (found === undefined) continue;
      const { role, depth, displayName: name } = request;
      const path = found.location ?? name;
      onOpen({ role, depth, name, path, format: request.format ?? "raw", source: found.source });
      return found;
    }
    throw refusal(request, folders);
  };
}

function refusal(request: FileRequest, folders: readonly string[]): Qcow2Error {
  const { role, name, displayName, depth, fromLocation = "" } = request;
  const isBacking = role === "backing";
  const folder = name && dirname(resolve(dirname(fromLocation), name));
  return new Qcow2Error({
    code: isBacking ? "QCOW2_BACKING_DENIED" : "QCOW2_DATA_FILE_DENIED",
    message: `the image names the ${isBacking ? "backing" : "data"} file ${displayName}, which is outside ${folders.join(", ")}`,
    details: { name: displayName, depth, allowed: folders },
    hint:
      folder === undefined
        ? "its name is not valid text, so it is never opened"
        : `if you trust the image, allow that folder: --allow ${folder}`,
  });
}

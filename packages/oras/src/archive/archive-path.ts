import { posix } from "node:path";

/**
 * A path of an archive in its one form: parts with slashes between them, from the archive's root. `./a//b/../c` is
 * `a/c`, and so is `/a/c`.
 *
 * @param folder - What a relative path starts from.
 * @returns Nothing for a path that leads out of the root.
 */
export function archivePath(path: string, folder = ""): string | undefined {
  const from = path.startsWith("/") ? "" : folder;
  const parts: string[] = [];
  for (const part of `${from}/${path}`.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join("/");
}

/** The folder that a path is in. */
export function archiveFolder(path: string): string {
  const folder = posix.dirname(path);
  return folder === "." ? "" : folder;
}

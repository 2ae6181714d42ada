import { randomBytes } from "node:crypto";
import { basename, join } from "node:path";
import { ensureDirectory, errnoOf, type FileSystem, renameDurably, toIoError } from "@box/io/node";

/** A file that was moved aside. */
export interface QuarantinedFile {
  /** Where it is now. */
  readonly path: string;
  /** Moves it back, unless there is something under its old name again. */
  readonly putBack: () => Promise<void>;
}

/**
 * Moves a file into a quarantine folder on the same file system, under a name that is new there.
 *
 * @param identity - Device and inode of the file that was judged; another one under that name is not moved.
 * @throws IoError when it cannot be moved; it is then where it was.
 */
export async function quarantine(
  fs: FileSystem,
  path: string,
  folder: string,
  identity: string | undefined,
): Promise<QuarantinedFile> {
  await ensureDirectory(folder, { fs });
  const to = join(folder, `${basename(path)}.corrupt-${randomBytes(8).toString("hex")}`);
  await requireSameFile(fs, path, identity);
  try {
    await renameDurably(path, to, { fs });
  } catch (error) {
    // The rename may be done although bringing the folders to stable storage failed.
    if (!(await exists(fs, path))) await fs.rename(to, path).catch(() => {});
    throw error;
  }
  const putBack = async (): Promise<void> => {
    if (!(await exists(fs, path))) await renameDurably(to, path, { fs });
  };
  return { path: to, putBack };
}

async function requireSameFile(
  fs: FileSystem,
  path: string,
  identity: string | undefined,
): Promise<void> {
  const failed = { action: "cannot move aside", path };
  const facts = await fs.lstat(path).catch((error: unknown) => {
    throw toIoError(error, failed);
  });
  if (`${facts.dev}:${facts.ino}` === identity) return;
  throw toIoError(new Error("another file took its place while it was judged"), failed);
}

/** Whether there is anything under a name; yes when that cannot be told. */
async function exists(fs: FileSystem, path: string): Promise<boolean> {
  try {
    await fs.lstat(path);
    return true;
  } catch (error) {
    return errnoOf(error) !== "ENOENT";
  }
}

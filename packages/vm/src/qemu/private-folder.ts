import { chmod, lstat, mkdir } from "node:fs/promises";

/**
 * Makes a folder for this user alone.
 *
 * @returns Whether it is one: another user could have made it first, and whoever leaves something there is not to be trusted then.
 */
export async function makePrivateFolder(path: string): Promise<boolean> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const found = await lstat(path);
  const isOwn = found.isDirectory() && found.uid === (process.getuid?.() ?? found.uid);
  if (isOwn && (found.mode & 0o077) !== 0) await chmod(path, 0o700);
  return isOwn;
}

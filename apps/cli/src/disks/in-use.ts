import type { RandomAccess } from "@box/io";
import { isLocked, readFileLocks } from "@box/io/node";
import { CliError } from "../errors.ts";

/** Whether another process, such as QEMU, has locked a file. False where the system does not say. */
export async function isInUse(source: Pick<RandomAccess, "identity">): Promise<boolean> {
  const identity = source.identity?.();
  return identity !== undefined && isLocked(await readFileLocks(), identity);
}

/**
 * Refuses to write to a file that another process uses.
 *
 * @throws CliError `CLI_FILE_IN_USE`.
 */
export async function requireNotInUse(
  file: string,
  source: Pick<RandomAccess, "identity">,
): Promise<void> {
  if (!(await isInUse(source))) return;
  throw new CliError({
    code: "CLI_FILE_IN_USE",
    message: `${file} is in use by another process, such as a running QEMU`,
    details: { file },
    hint: "stop the machine that uses it, then try again",
  });
}

import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { CliError } from "../errors.ts";
import type { Host } from "./host.ts";

/**
 * The absolute home directory: `--home` or `BOX_HOME`, else `$XDG_DATA_HOME/box`, else `~/.local/share/box`.
 *
 * @throws CliError `CLI_INVALID_ARGUMENT` when its path is not UTF-8.
 */
export function resolveHome(given: string | undefined, host: Pick<Host, "env" | "cwd">): string {
  const home = findHome(given, host);
  // Node.js puts this in the place of every byte that is no UTF-8: another folder would be meant, and the same for all.
  if (!home.includes("\uFFFD")) return home;
  throw new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `cannot use ${home} as home: its path is not UTF-8`,
    details: { home },
    hint: "give a folder whose path is UTF-8 with --home",
  });
}

function findHome(given: string | undefined, { env, cwd }: Pick<Host, "env" | "cwd">): string {
  if (given !== undefined) return resolve(cwd, given);
  const { XDG_DATA_HOME: dataHome, HOME: userHome } = env;
  // The XDG base directory specification says to ignore relative paths.
  if (dataHome?.startsWith("/")) return join(dataHome, "box");
  return join(userHome || homedir(), ".local", "share", "box");
}

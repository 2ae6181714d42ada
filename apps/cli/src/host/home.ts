import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Host } from "./host.ts";

/** The absolute home directory: `--home` or `BOX_HOME`, else `$XDG_DATA_HOME/box`, else `~/.local/share/box`. */
export function resolveHome(
  given: string | undefined,
  { env, cwd }: Pick<Host, "env" | "cwd">,
): string {
  if (given !== undefined) return resolve(cwd, given);
  const { XDG_DATA_HOME: dataHome, HOME: userHome } = env;
  // The XDG base directory specification says to ignore relative paths.
  if (dataHome?.startsWith("/")) return join(dataHome, "box");
  return join(userHome || homedir(), ".local", "share", "box");
}

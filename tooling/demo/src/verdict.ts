import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** What a tool of somebody else says about a file of ours. */
export interface Verdict {
  /** The command, as a person would type it. */
  readonly command: string;
  /** Whether it found nothing wrong; undefined when it is not installed. */
  readonly isGood: boolean | undefined;
  /** What it printed. */
  readonly lines: readonly string[];
}

/** Programs of administrators are not on everybody's search path. */
const moreFolders = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/**
 * Asks a tool what it thinks; says so when it is not installed.
 *
 * @param path - The folders to search, as in the environment variable PATH.
 */
export function askTool(tool: string, args: readonly string[], path: string): Verdict {
  const command = [tool, ...args].join(" ");
  const program = findProgram(tool, path);
  if (program === undefined) return { command, isGood: undefined, lines: [] };
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    timeout: 60_000,
    env: { LC_ALL: "C.UTF-8" },
  });
  const lines = [stdout, stderr, error?.message ?? ""]
    .flatMap((text) => (text ?? "").split("\n"))
    .filter((line) => line.trim() !== "");
  return { command, isGood: status === 0, lines };
}

function findProgram(tool: string, path: string): string | undefined {
  return [...path.split(delimiter), ...moreFolders]
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, tool))
    .find((candidate) => {
      try {
        accessSync(candidate, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

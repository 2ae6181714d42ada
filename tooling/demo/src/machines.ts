import { execFile } from "node:child_process";
import { glob } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Narrator } from "./narrator.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/**
 * Brings what a virtual machine needs, where that may be installed: as root on Debian and Ubuntu. Elsewhere it says which
 * command does.
 *
 * @returns The kernel that was unpacked for this project, if one was.
 */
export async function setUpMachines(
  narrator: Narrator,
  signal: AbortSignal,
): Promise<string | undefined> {
  const script = `${root}/tooling/scripts/install-oracles.mjs`;
  for (const line of await linesOf([script, "--machines"], signal)) narrator.say(line, "quiet");
  const kernels: string[] = [];
  for await (const path of glob(`${root}/.cache/kernel/boot/vmlinuz-*cloud*`)) kernels.push(path);
  return kernels.sort().at(-1);
}

function linesOf(args: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
  execFile(process.execPath, args, { signal }, (error, stdout) => {
    if (error === null) resolve(stdout.split("\n").filter((line) => line !== ""));
    else reject(error);
  });
  return promise;
}

import { join } from "node:path";
import type { CommandContext } from "../command/define-command.ts";
import { cacheFolderOf } from "../machines/open-engine.ts";

/** Where box keeps a kernel of its own: installing one would change what the host boots. */
export function kernelFolderOf(env: CommandContext["env"]): string {
  return join(cacheFolderOf(env), "kernel");
}

/** Fetches the distribution's kernel for virtual machines and unpacks it there. Needs no root. @throws GuestError. */
export async function fetchOwnKernel({
  env,
  signal,
}: Pick<CommandContext, "env" | "signal">): Promise<void> {
  const { fetchKernel } = await import("@box/guest/boot");
  await fetchKernel({ directory: kernelFolderOf(env), signal });
}

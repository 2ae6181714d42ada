import { delimiter, join } from "node:path";
import { isBoxError } from "@box/errors";
import type { CommandContext } from "../command/define-command.ts";
import { cacheFolderOf } from "../machines/open-engine.ts";
import { kernelFolderOf } from "./own-kernel.ts";

/** What starting boxes needs and is not there. */
export interface MissingParts {
  /** Packages of Debian and Ubuntu that have it. */
  readonly packages: readonly string[];
  /** Whether there is no kernel for machines. */
  readonly kernel: boolean;
}

/** Looks for QEMU, for a kernel, and for the agent or what compiles it. */
export async function missingParts({
  env,
  signal,
}: Pick<CommandContext, "env" | "signal">): Promise<MissingParts> {
  const { ensureAgent, findKernel } = await import("@box/guest/boot");
  const { findQemu } = await import("@box/vm/qemu");
  const { PATH = "", BOX_KERNEL } = env;
  const cacheDirectory = join(cacheFolderOf(env), "boot");
  const [qemu, agent, kernel] = await Promise.all([
    findQemu(PATH.split(delimiter)).then((found) => found !== undefined),
    isThere(ensureAgent({ cacheDirectory, signal }), agentLacks),
    BOX_KERNEL ? true : isThere(findKernel({ roots: [kernelFolderOf(env), "/"] }), kernelLacks),
  ]);
  return {
    packages: [...(qemu ? [] : ["qemu-system-x86"]), ...(agent ? [] : ["musl-tools"])],
    kernel: !kernel,
  };
}

const agentLacks: readonly string[] = ["GUEST_COMPILER_MISSING", "GUEST_COMPILE_FAILED"];
const kernelLacks: readonly string[] = ["GUEST_KERNEL_MISSING"];

/** Whether something succeeds, or fails for want of a part. */
async function isThere(work: Promise<unknown>, lacks: readonly string[]): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (isBoxError(error) && lacks.includes(error.code)) return false;
    throw error;
  }
}

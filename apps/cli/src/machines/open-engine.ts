import { homedir, tmpdir, userInfo } from "node:os";
import { delimiter, join } from "node:path";
import type { Engine } from "@box/vm";
import type { AcceleratorChoice, BootFiles, BootOptions } from "@box/vm/qemu";
import type { CommandContext } from "../command/define-command.ts";
import { CliError } from "../errors.ts";
import { findBootFiles } from "./boot-files.ts";
import { lazyEngine } from "./lazy-engine.ts";

/** What the machines of boxes run on: the QEMU of the host. */
export function openEngine({ env }: Pick<CommandContext, "env">): Engine {
  return lazyEngine("qemu", async () => {
    const { QemuEngine } = await import("@box/vm/qemu");
    const { PATH = "" } = env;
    return new QemuEngine({
      programFolders: PATH.split(delimiter),
      boot: (options) => bootFilesFor({ env }, options),
      socketFolder: socketFolderOf(env),
      cacheFolder: cacheFolderOf(env),
      templateFolder: templateFolderOf(env),
      accelerator: acceleratorOf(env),
    });
  });
}

/** Makes what machines boot, or finds what was made before. */
export async function bootFilesFor(
  { env }: Pick<CommandContext, "env">,
  { hasNetwork, signal }: BootOptions,
): Promise<BootFiles> {
  const { BOX_KERNEL } = env;
  return findBootFiles({
    cacheFolder: cacheFolderOf(env),
    kernel: BOX_KERNEL || undefined,
    hasNetwork,
    signal,
  });
}

type Env = CommandContext["env"];

/** What can be made again at any time, for all homes of a user. */
export function cacheFolderOf({ XDG_CACHE_HOME, HOME }: Env): string {
  // The XDG base directory specification says to ignore relative paths.
  if (XDG_CACHE_HOME?.startsWith("/")) return join(XDG_CACHE_HOME, "box");
  return join(HOME || homedir(), ".cache", "box");
}

/** Where the states of machines that have booted are kept. */
export function templateFolderOf(env: Env): string {
  return join(cacheFolderOf(env), "templates");
}

/** Short, because the paths of sockets are. */
function socketFolderOf({ XDG_RUNTIME_DIR }: Env): string {
  if (XDG_RUNTIME_DIR?.startsWith("/")) return join(XDG_RUNTIME_DIR, "box-vm");
  return join(tmpdir(), `box-vm-${userInfo().uid}`);
}

const accelerators: readonly string[] = ["auto", "kvm", "tcg"];

function acceleratorOf({ BOX_ACCEL }: Env): AcceleratorChoice {
  const choice = BOX_ACCEL || "auto";
  if (accelerators.includes(choice)) return choice as AcceleratorChoice;
  throw new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `BOX_ACCEL is ${JSON.stringify(choice)}`,
    hint: `use one of: ${accelerators.join(", ")}`,
  });
}

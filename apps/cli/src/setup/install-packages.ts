import { spawn } from "node:child_process";
import { once } from "node:events";
import { delimiter } from "node:path";
import type { CommandContext } from "../command/define-command.ts";
import type { SetupStep } from "../commands/setup/schemas.ts";

/** A dozen lines are enough to see why. */
const keptOutput = 2000;
const patience: readonly string[] = ["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"];

/** Installs packages when this process may: it is root and there is apt. Else it says what to run. */
export async function installPackages(
  packages: readonly string[],
  context: Pick<CommandContext, "env" | "signal" | "progress">,
  isDryRun: boolean,
): Promise<SetupStep> {
  const args = ["install", "--yes", "--no-install-recommends", ...packages];
  const command = `apt-get ${args.join(" ")}`;
  const name = packages.join(", ");
  const isRoot = process.getuid?.() === 0;
  const { findProgram } = await import("@box/vm/qemu");
  const { PATH = "" } = context.env;
  const hasApt = (await findProgram("apt-get", PATH.split(delimiter))) !== undefined;
  if (isDryRun || !isRoot || !hasApt) {
    return { name, state: "todo", command: isRoot ? command : `sudo ${command}` };
  }
  const progress = await context.progress();
  progress.event({ type: "started", task: "setup", message: `installing ${name}` });
  for (const words of [["update"], args]) {
    const { exitCode, output } = await apt([...patience, ...words], context);
    if (exitCode === 0) continue;
    const message = `apt-get ${words.join(" ")} failed: ${output}`;
    return { name, state: "failed", command, message };
  }
  return { name, state: "done", command };
}

async function apt(
  args: readonly string[],
  { env, signal }: Pick<CommandContext, "env" | "signal">,
): Promise<{ readonly exitCode: number | null; readonly output: string }> {
  const child = spawn("apt-get", args, {
    env: { ...env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["ignore", "pipe", "pipe"],
    signal,
  });
  let output = "";
  const gather = (chunk: Buffer): void => {
    output = `${output}${chunk.toString()}`.slice(-keptOutput);
  };
  child.stdout.on("data", gather);
  child.stderr.on("data", gather);
  const [exitCode] = (await once(child, "close")) as [number | null];
  return { exitCode, output: output.trim() };
}

import { isBoxError } from "@box/errors";
import type { CommandContext } from "../../command/define-command.ts";
import { visible } from "../../output/visible.ts";
import { installPackages } from "../../setup/install-packages.ts";
import { missingParts } from "../../setup/missing-parts.ts";
import { fetchOwnKernel } from "../../setup/own-kernel.ts";
import {
  exitCode as doctorExitCode,
  text as doctorText,
  run as runDoctor,
} from "../doctor/action.ts";
import type { SetupInput, SetupOutput, SetupStep } from "./schemas.ts";

/** Brings what a start needs and is not there: packages where it may install them, and a kernel beside box. */
export async function run(input: SetupInput, context: CommandContext): Promise<SetupOutput> {
  const { dryRun = false } = input;
  const missing = await missingParts(context);
  const steps: SetupStep[] = [];
  if (missing.packages.length > 0)
    steps.push(await installPackages(missing.packages, context, dryRun));
  if (missing.kernel) steps.push(await bringKernel(context, dryRun));
  return { steps, doctor: await runDoctor({}, context) };
}

/** What was done or is to be done, and then what doctor says. */
export function text({ steps, doctor }: SetupOutput): string {
  const lines = steps.flatMap(({ name, state, command, message }) => {
    if (state === "done") return [`done ${name}`];
    const why = message === undefined ? [] : [`     ${visible(message)}`];
    return [`${state === "failed" ? "fail" : "todo"} ${name}: run ${command}`, ...why];
  });
  return [...lines, doctorText(doctor)].join("\n");
}

/** As for doctor. */
export function exitCode({ doctor }: SetupOutput): number {
  return doctorExitCode(doctor);
}

async function bringKernel(context: CommandContext, isDryRun: boolean): Promise<SetupStep> {
  const step = { name: "a kernel for machines", command: "box setup" };
  if (isDryRun) return { ...step, state: "todo" };
  const progress = await context.progress();
  progress.event({ type: "started", task: "setup", message: "fetching a kernel for machines" });
  try {
    await fetchOwnKernel(context);
    return { ...step, state: "done" };
  } catch (error) {
    context.signal.throwIfAborted();
    if (!isBoxError(error)) throw error;
    return { ...step, state: "failed", message: [error.message, error.hint].join("; ") };
  }
}

import { isBoxError, kindOutcomes } from "@box/errors";
import type { CommandContext } from "../../command/define-command.ts";
import { bootFilesFor, openEngine } from "../../machines/open-engine.ts";
import { findTemplates } from "../../machines/templates.ts";
import { formatSize } from "../../output/table.ts";
import { visible } from "../../output/visible.ts";
import type { DoctorInput, DoctorOutput } from "./schemas.ts";

type Finding = DoctorOutput["findings"][number];

/** Looks at everything that a start needs. */
export async function run(_: DoctorInput, context: CommandContext): Promise<DoctorOutput> {
  const { signal } = context;
  const boot = await bootFinding(context);
  const report = await openEngine(context).probe({ signal });
  const { version, accelerator = "none", reason } = report;
  const qemu: Finding =
    version === undefined
      ? { name: "QEMU", isGood: false, found: reason ?? "not found", hint: qemuHint }
      : { name: "QEMU", isGood: true, found: version };
  const speed: Finding[] = report.isUsable
    ? [
        {
          name: "acceleration",
          isGood: accelerator !== "none",
          found: accelerator === "none" ? `none: ${reason ?? "not asked for"}` : accelerator,
          ...(accelerator === "none" ? { hint: "boxes run all the same, slower" } : {}),
        },
      ]
    : [];
  const findings = [qemu, boot, ...speed, await templateFinding(context)];
  return { canStart: report.isUsable && boot.isGood, findings };
}

/** A line for each thing, and what to do where something is missing. */
export function text({ canStart, findings }: DoctorOutput): string {
  const lines = findings.flatMap(({ name, isGood, found, hint }) => [
    `${isGood ? "ok  " : "--  "}${name}: ${visible(found)}`,
    ...(hint === undefined ? [] : [`    ${hint}`]),
  ]);
  return [
    ...lines,
    canStart ? "boxes can be started" : "boxes cannot be started; box setup brings what is missing",
  ].join("\n");
}

/** As for a command that cannot be carried out here. */
export function exitCode({ canStart }: DoctorOutput): number {
  return canStart ? 0 : kindOutcomes.unsupported.exitCode;
}

const qemuHint = "install it: apt-get install qemu-system-x86 on Debian and Ubuntu";

/** Having none is no fault: the first box that starts makes one. */
async function templateFinding(context: CommandContext): Promise<Finding> {
  const templates = await findTemplates(context);
  const bytes = templates.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  const found =
    bytes === 0
      ? "none yet: the next box boots, and is saved for the ones after it"
      : `${templates.length} of ${formatSize(bytes)}, so that boxes of these shapes need not boot`;
  return { name: "templates", isGood: true, found };
}

async function bootFinding(context: CommandContext): Promise<Finding> {
  const name = "kernel and agent";
  try {
    const { kernel } = await bootFilesFor(context, { hasNetwork: false, signal: context.signal });
    return { name, isGood: true, found: kernel };
  } catch (error) {
    context.signal.throwIfAborted();
    if (!isBoxError(error)) throw error;
    const { message, hint } = error;
    return { name, isGood: false, found: message, ...(hint === undefined ? {} : { hint }) };
  }
}

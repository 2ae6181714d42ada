import { isBoxError, kindOutcomes } from "@box/errors";
import type { CommandContext } from "../../command/define-command.ts";
import { bootFilesFor, openEngine } from "../../machines/open-engine.ts";
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
  return { canStart: report.isUsable && boot.isGood, findings: [qemu, boot, ...speed] };
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

import { resolve } from "node:path";
import { BoxError, kindOf } from "@box/errors";
import type { OpenFile } from "@box/io";
import { openFile } from "@box/io/node";
import { type CheckReport, checkImage, toQemuCheck } from "@box/qcow2";
import type { CommandContext } from "../../command/define-command.ts";
import { aboutFile } from "../../disks/about-file.ts";
import { isInUse, openToChange } from "../../disks/in-use.ts";
import { showProgress, showWarning } from "../../disks/show-progress.ts";
import { CliError, ExitCodeError } from "../../errors.ts";
import { formatExactJson } from "../../output/json.ts";
import type { DiskCheckInput, DiskCheckOutput } from "./schemas.ts";

export { text } from "./text.ts";

/** Exit codes of qemu-img check. */
const qemuCodes = { clean: 0, notDone: 1, corrupt: 2, leaks: 3, nothingToCheck: 63 } as const;

/** Checks, and repairs when it was asked to. */
export async function run(
  input: DiskCheckInput,
  context: CommandContext,
): Promise<DiskCheckOutput> {
  try {
    const output = await aboutFile(input.file, () => checkFile(input, context));
    await tellVerdict(output, context);
    return output;
  } catch (error) {
    if (!input.qemuExitCodes || ["aborted", "internal"].includes(kindOf(error))) throw error;
    const isRaw = input.inputFormat === "raw";
    throw new ExitCodeError(error, isRaw ? qemuCodes.nothingToCheck : qemuCodes.notDone);
  }
}

/** 5 when the image is corrupt; qemu-img's codes when they were asked for. */
export function exitCode({ verdict, qemuExitCode }: DiskCheckOutput): number {
  return qemuExitCode ?? (verdict === "corrupt" ? 5 : 0);
}

/** What `qemu-img check --output=json` prints. */
export function formatted({ qemu }: DiskCheckOutput): string {
  return formatExactJson(qemu);
}

async function checkFile(
  { file, inputFormat, repair, qemuExitCodes }: DiskCheckInput,
  context: CommandContext,
): Promise<DiskCheckOutput> {
  if (inputFormat === "raw") throw nothingToCheck(file);
  const { cwd, signal, globals } = context;
  const isRepair = repair !== undefined;
  const path = resolve(cwd, file);
  await using source = isRepair
    ? await openToChange({ file, path, command: "box disk check --repair" })
    : await openFile(path, { blocking: true });
  if (!isRepair) await warnWhenInUse(file, source, context);
  const tell = await showProgress(context, "check", file);
  const options = { signal, onProgress: (readBytes: number) => tell(readBytes) };
  const report = await checkImage(source, isRepair ? { ...options, repair } : options);
  if (isRepair) await source.flush?.();
  return {
    ...toOutput(file, report),
    ...(isRepair && { repaired: repairedBy(report) }),
    ...(globals.format === "qemu-json" && { qemu: toQemuCheck(report, file) }),
    ...(qemuExitCodes && { qemuExitCode: qemuExitCodeOf(report) }),
  };
}

async function warnWhenInUse(
  file: string,
  source: OpenFile,
  context: CommandContext,
): Promise<void> {
  if (!(await isInUse(source))) return;
  const reason = `${file} is in use by another process: while it is written, what is found may not be true`;
  await showWarning(context, "check", "CLI_FILE_IN_USE", reason);
}

/** The verdict also goes to stderr: as a warning, or as the error that the exit code stands for. */
async function tellVerdict(output: DiskCheckOutput, context: CommandContext): Promise<void> {
  const { file, verdict, leaks, errors, findings } = output;
  if (verdict === "leaking") {
    const lost = `${leaks} leaked ${leaks === 1 ? "cluster wastes" : "clusters waste"} space`;
    const remedy = `box disk check --repair leaks ${file}`;
    await showWarning(context, "check", "QCOW2_LEAK", `${file}: ${lost}; try: ${remedy}`);
  }
  if (verdict !== "corrupt") return;
  const first = findings.find(({ severity }) => severity === "error");
  await context.reportError(
    new BoxError({
      code: first?.code ?? "QCOW2_TRUNCATED",
      kind: "corrupt",
      message: `${file}: ${first?.message ?? "its tables cannot all be read"}`,
      details: {
        ...{ file, errors, leaks },
        ...(first && { offset: first.offset, structure: first.structure }),
      },
      hint: `keep a copy, then try: box disk check --repair all ${file}`,
    }),
  );
}

function toOutput(file: string, report: CheckReport): DiskCheckOutput {
  const { info, counters, errorCount, isComplete, findings } = report;
  const { leaks, imageEndOffset } = counters;
  const isCorrupt = errorCount > 0 || !isComplete || counters.corruptions > 0;
  return {
    file,
    verdict: isCorrupt ? "corrupt" : leaks > 0 ? "leaking" : "clean",
    errors: errorCount,
    leaks,
    clusterSizeBytes: info.clusterSizeBytes,
    isComplete,
    clusters: {
      total: counters.totalClusters,
      allocated: counters.allocatedClusters,
      fragmented: counters.fragmentedClusters,
      compressed: counters.compressedClusters,
    },
    imageEndOffset,
    findings: findings.map(({ severity, code, offset, structure, message }) => ({
      ...{ severity, code, offset, structure, message },
    })),
  };
}

function repairedBy({ counters }: CheckReport): { corruptions: number; leaks: number } {
  return { corruptions: counters.corruptionsFixed, leaks: counters.leaksFixed };
}

function qemuExitCodeOf({ counters }: CheckReport): number {
  if (counters.checkErrors > 0) return qemuCodes.notDone;
  if (counters.corruptions > 0) return qemuCodes.corrupt;
  return counters.leaks > 0 ? qemuCodes.leaks : qemuCodes.clean;
}

function nothingToCheck(file: string): CliError {
  return new CliError({
    code: "CLI_UNSUPPORTED",
    message: `${file}: a raw disk has no structure, so there is nothing to check`,
    details: { file },
    hint: "leave -f raw out for a qcow2 image",
  });
}

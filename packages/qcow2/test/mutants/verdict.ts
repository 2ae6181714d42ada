import { MemoryFile } from "@box/io";
import { type CheckReport, checkImage, checkStructure, Qcow2Error, toQemuCheck } from "@box/qcow2";
import type { QemuCheck } from "../support/qemu.ts";

/** What a check says in one word. */
export type Verdict = "clean" | "leaks" | "corrupt" | "refused";

/** What this package says about an image. */
export interface OurVerdict {
  /** In one word. */
  readonly verdict: Verdict;
  /** What it refuses with, when it does. */
  readonly error?: Qcow2Error;
  /** What it found, when it could check. */
  readonly report?: CheckReport;
  /** The counters as QEMU prints them. */
  readonly json?: Record<string, unknown>;
  /** What `checkStructure` throws, when it does. */
  readonly structureError?: Qcow2Error;
}

/** Whether a check could count at all: ours lists what it cannot read and goes on, QEMU's gives up. */
export function isCounted({ report }: OurVerdict): boolean {
  return report?.isComplete === true;
}

/** Checks an image; an error that is not a Qcow2Error is thrown on. */
export async function ourVerdict(bytes: Uint8Array, filename: string): Promise<OurVerdict> {
  const source = new MemoryFile(bytes);
  const structureError = await qcow2ErrorOf(() => checkStructure(source));
  let report: CheckReport | undefined;
  const error = await qcow2ErrorOf(async () => {
    report = await checkImage(source, { maxFindings: 100 });
  });
  const refusal = { ...(error && { error }), ...(structureError && { structureError }) };
  if (report === undefined) return { verdict: "refused", ...refusal };
  const { errorCount, counters, isComplete } = report;
  const isSound = errorCount === 0 && isComplete;
  const verdict = isSound ? (counters.leaks > 0 ? "leaks" : "clean") : "corrupt";
  return { verdict, report, json: toQemuCheck(report, filename), ...refusal };
}

/** The verdict of `qemu-img check`. Status 1 with counters says that some refcounts could not be looked at. */
export function theirVerdict({ status, json }: QemuCheck): Verdict | "died" {
  if (status === 1 && json !== undefined) return "corrupt";
  const verdicts = { 0: "clean", 1: "refused", 2: "corrupt", 3: "leaks" } as const;
  return verdicts[status as keyof typeof verdicts] ?? "died";
}

async function qcow2ErrorOf(run: () => Promise<unknown>): Promise<Qcow2Error | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    if (error instanceof Qcow2Error) return error;
    throw error;
  }
}

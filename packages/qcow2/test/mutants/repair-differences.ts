import type { CheckReport, Qcow2Error } from "@box/qcow2";
import type { QemuCheck } from "../support/qemu.ts";

/** What is left of one image after both have repaired it. */
export interface RepairedTwice {
  /** What `qemu-img check` says of ours. */
  readonly ours: QemuCheck;
  /** What it says of QEMU's. */
  readonly theirs: QemuCheck;
  /** What our repair reports as left; absent when it refused. */
  readonly report?: CheckReport;
  /** What our repair threw. */
  readonly error?: Qcow2Error;
}

/** A kind of damage that QEMU repairs and we leave; each has its paragraph in `docs/spec/qcow2.md`. */
export interface RepairRule {
  /** Its name. */
  readonly name: string;
  /** Whether it explains that more is left of ours. */
  explains(both: RepairedTwice): boolean;
}

/** Everything that is left on purpose. */
export const repairRules: readonly RepairRule[] = [
  {
    name: "too-many-snapshots",
    explains: ({ error, ours }) =>
      error !== undefined && /overhanging snapshots/.test(ours.messages),
  },
  { name: "cut-header", explains: ({ error }) => error?.code === "QCOW2_TRUNCATED" },
  { name: "backing-name", explains: ({ error }) => error?.code === "QCOW2_BACKING_NAME_INVALID" },
  {
    name: "no-snapshot-table",
    explains: ({ error, ours }) =>
      error?.code === "QCOW2_MISALIGNED" && /snapshot table offset invalid/.test(ours.messages),
  },
  {
    name: "snapshot-extra-data",
    explains: ({ report }) => isIncomplete(report, "QCOW2_SNAPSHOT_INVALID"),
  },
  {
    name: "unreadable-tables",
    explains: ({ report }) => report?.isComplete === false,
  },
  {
    name: "kept-leaks",
    explains: ({ ours, theirs, report }) =>
      errorsOf(ours) <= errorsOf(theirs) && (report?.errorCount ?? 0) > 0,
  },
  { name: "no-rebuild-past-end", explains: ({ report }) => hasCode(report, "QCOW2_OUT_OF_FILE") },
  {
    name: "shared-table",
    explains: ({ report }) =>
      hasCode(report, "QCOW2_COPIED_BIT_WRONG") && hasCode(report, "QCOW2_OVERLAP"),
  },
  {
    name: "odd-entries",
    explains: ({ report }) =>
      hasCode(report, "QCOW2_COPIED_BIT_WRONG") && hasCode(report, "QCOW2_RESERVED_BITS"),
  },
];

/** Whether more is left of ours than of QEMU's. */
export function leavesMore({ ours, theirs }: RepairedTwice): boolean {
  const isMore = (count: (check: QemuCheck) => number) => count(ours) > count(theirs);
  return isMore(errorsOf) || (errorsOf(ours) === errorsOf(theirs) && isMore(leaksOf));
}

function errorsOf({ json }: QemuCheck): number {
  if (json === undefined) return Infinity;
  return Number(json["corruptions"] ?? 0) + Number(json["check-errors"] ?? 0);
}

function leaksOf({ json }: QemuCheck): number {
  return Number(json?.["leaks"] ?? 0);
}

function hasCode(report: CheckReport | undefined, code: string): boolean {
  return report?.findings.some((finding) => finding.code === code) === true;
}

function isIncomplete(report: CheckReport | undefined, code: string): boolean {
  return report?.isComplete === false && hasCode(report, code);
}

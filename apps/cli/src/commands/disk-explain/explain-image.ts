import type { BoxError } from "@box/errors";
import { type CheckReport, type ImageDescription, safetyCheck } from "@box/qcow2";
import type { DiskMember } from "../../disks/allowed-folders.ts";
import { formatSize } from "../../output/table.ts";
import type { DiskExplainOutput } from "./schemas.ts";

/** Everything that is known about an image. */
export interface ImageFacts {
  /** As the user wrote it. */
  readonly file: string;
  /** What it says about itself. */
  readonly description: ImageDescription;
  /** What a check found. */
  readonly report: CheckReport;
  /** Whether another process has it open. */
  readonly inUse: boolean;
  /** The files below it, as far as they could be opened. */
  readonly chain: readonly DiskMember[];
  /** Why the chain cannot be read, when it cannot. */
  readonly obstacle: BoxError | undefined;
}

/** Puts facts about an image into words. */
export function explainImage(facts: ImageFacts): DiskExplainOutput {
  const { file, description, report, chain, obstacle } = facts;
  const { counters } = report;
  const state = stateOf(report);
  return {
    file,
    format: "qcow2",
    role: description.info.backing ? "overlay" : "image",
    state,
    isUsable: state !== "corrupt" && obstacle === undefined,
    clusters: { own: counters.allocatedClusters, total: counters.totalClusters },
    chain: chain.map(({ role, depth, name, format }) => ({ role, depth, name, format })),
    sentences: [
      ...whatItIs(facts),
      ...whatItHolds(facts),
      ...whereItStands(facts),
      stateSentence(state, facts),
      ...reservations(facts),
    ],
    next: nextSteps(state, facts),
  };
}

function stateOf({ errorCount, isComplete, counters }: CheckReport): DiskExplainOutput["state"] {
  if (errorCount > 0 || !isComplete || counters.corruptions > 0) return "corrupt";
  return counters.leaks > 0 ? "leaking" : "consistent";
}

function whatItIs({ file, description }: ImageFacts): string[] {
  const { info } = description;
  const size = formatSize(info.virtualSizeBytes);
  const role = info.backing ? "an overlay" : "a disk image that stands alone";
  return [
    `${file} is ${role}: a qcow2 file (version ${info.version}) with a disk of ${size}; the file itself has ${formatSize(info.fileSizeBytes)}.`,
    ...(info.encryption === "none" ? [] : [`Its data is encrypted (${info.encryption}).`]),
  ];
}

function whatItHolds({ description, report }: ImageFacts): string[] {
  const { info, snapshots, bitmaps } = description;
  const { allocatedClusters: own, totalClusters, compressedClusters } = report.counters;
  const size = formatSize(own * info.clusterSizeBytes);
  const compressed = compressedClusters === 0 ? "" : `, ${compressedClusters} of them compressed`;
  const rest = info.backing ? "the others come from below, or are zeros" : "the others are zeros";
  const names = (list: readonly { name: string }[]) => list.map(({ name }) => name).join(", ");
  return [
    `${own} of ${totalClusters} clusters of ${formatSize(info.clusterSizeBytes)} are its own (${size})${compressed}; ${rest}.`,
    ...(snapshots.length === 0
      ? []
      : [
          `It holds ${count(snapshots.length, "snapshot")} with older content: ${names(snapshots)}.`,
        ]),
    ...(bitmaps.length === 0
      ? []
      : [`It records changes in ${count(bitmaps.length, "bitmap")}: ${names(bitmaps)}.`]),
  ];
}

function whereItStands({ description, chain, obstacle }: ImageFacts): string[] {
  const { backing, dataFile } = description.info;
  const below = chain.filter(({ role }) => role === "backing");
  return [
    ...(dataFile ? [`Its data is in another file: ${dataFile.name ?? "not named"}.`] : []),
    ...(backing
      ? [`It stands on ${backing.displayName} (${backing.format ?? "format not stated"}).`]
      : []),
    ...below.slice(1).map(({ name, format }, index) => {
      return `${below[index]?.name} in turn stands on ${name} (${format}).`;
    }),
    ...(obstacle === undefined
      ? []
      : [`It cannot be read as it is: ${obstacle.message} (${obstacle.code}).`]),
  ];
}

function stateSentence(
  state: DiskExplainOutput["state"],
  { report, description }: ImageFacts,
): string {
  const { counters, errorCount, findings } = report;
  const lost = `${count(counters.leaks, "cluster")} (${formatSize(counters.leaks * description.info.clusterSizeBytes)})`;
  if (state === "consistent") return "It is consistent: all tables and reference counts agree.";
  if (state === "leaking")
    return `It is consistent, but ${lost} are leaked: they waste space and nothing else.`;
  const first = findings.find(({ severity }) => severity === "error");
  const example =
    first === undefined
      ? "not every table can be read"
      : `the first is ${first.code}: ${first.message}`;
  return `It is corrupt: ${count(errorCount, "error")}; ${example}.`;
}

function reservations({ description, inUse }: ImageFacts): string[] {
  const known = new Set(["backing-file", "data-file", "internal-snapshots", "encrypted"]);
  const reasons = safetyCheck(description.info).filter(({ code }) => !known.has(code));
  return [
    ...(inUse ? ["Another process, such as a running QEMU, has it open right now."] : []),
    ...reasons.map(({ message }) => `Beware: ${message}.`),
  ];
}

function nextSteps(
  state: DiskExplainOutput["state"],
  { file, description, obstacle }: ImageFacts,
): DiskExplainOutput["next"] {
  const { backing } = description.info;
  const hint = obstacle?.hint;
  return [
    ...(obstacle === undefined || hint === undefined
      ? []
      : [{ command: `box explain ${obstacle.code}`, reason: hint }]),
    ...(state === "consistent"
      ? []
      : [
          {
            command: `box disk check --repair ${state === "leaking" ? "leaks" : "all"} ${file}`,
            reason: state === "leaking" ? "give the space back" : "repair it; keep a copy first",
          },
        ]),
    ...(backing && obstacle === undefined && state !== "corrupt"
      ? [
          {
            command: `box disk convert -O qcow2 ${file} alone.qcow2`,
            reason: "make an image that needs no other file",
          },
        ]
      : []),
  ];
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}

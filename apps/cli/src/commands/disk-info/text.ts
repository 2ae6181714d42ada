import type { BitmapFacts, SnapshotFacts } from "../../disks/image-facts.ts";
import { formatFields, formatSize } from "../../output/table.ts";
import type { DiskInfoOutput, Qcow2Facts } from "./schemas.ts";

type Field = readonly [string, string];

/** One line each; snapshots and bitmaps have their own. */
export function text(output: DiskInfoOutput): string {
  const { file, format, virtualSizeBytes, fileSizeBytes, qcow2 } = output;
  return formatFields([
    ["file", file],
    ["format", qcow2 === undefined ? format : `${format} version ${qcow2.version}`],
    ["virtual size", `${formatSize(BigInt(virtualSizeBytes))} (${virtualSizeBytes} bytes)`],
    ["file size", formatSize(fileSizeBytes)],
    ...(qcow2 === undefined ? [] : qcow2Fields(qcow2)),
  ]);
}

function qcow2Fields(facts: Qcow2Facts): Field[] {
  const { backing, dataFile, encryption, cipher } = facts;
  const marks = [
    ...(facts.isDirty ? ["dirty"] : []),
    ...(facts.isMarkedCorrupt ? ["marked corrupt"] : []),
    ...(facts.hasExtendedL2 ? ["extended L2"] : []),
  ].join(", ");
  return [
    ["clusters", formatSize(facts.clusterSizeBytes)],
    ["refcounts", `${facts.refcountBits} bits`],
    ["compression", facts.compressionType],
    ...optional("encryption", encryption === "none" ? "" : [encryption, cipher].join(" ").trim()),
    ...optional("marks", marks),
    ...optional("backing", backing && `${backing.name} (${backing.format ?? "format not stated"})`),
    ...optional("data file", dataFile && (dataFile.name ?? "not named")),
    ...facts.snapshots.map((snapshot): Field => ["snapshot", snapshotText(snapshot)]),
    ...facts.bitmaps.map((bitmap): Field => ["bitmap", bitmapText(bitmap)]),
  ];
}

function snapshotText({ id, name, takenAt, vmStateBytes }: SnapshotFacts): string {
  const state =
    BigInt(vmStateBytes) === 0n ? "" : `, machine state ${formatSize(BigInt(vmStateBytes))}`;
  return `${id} ${JSON.stringify(name)}, taken ${takenAt}${state}`;
}

function bitmapText({ name, granularityBytes, isInUse, isAuto }: BitmapFacts): string {
  const state = isInUse ? ", out of date" : isAuto ? ", recording" : ", disabled";
  return `${JSON.stringify(name)}, ${formatSize(granularityBytes)} a bit${state}`;
}

function optional(name: string, value: string | undefined): Field[] {
  return value === undefined || value === "" ? [] : [[name, value]];
}

import type { RandomAccess } from "@box/io";
import { MemoryBudget } from "../bytes/budget.ts";
import { SourceReader } from "../bytes/source-reader.ts";
import { headerFields } from "../header/layout.ts";
import type { Header } from "../header/parse.ts";
import { validateTables } from "../header/validate.ts";
import type { ImageInfo } from "../inspect/image-info.ts";
import { toImageInfo } from "../inspect/inspect-image.ts";
import { readHeaderArea, requireKnownFeatures } from "../inspect/read-header.ts";
import { l2FormatOf } from "../tables/l2-format.ts";
import { CollectingSink } from "./collecting-sink.ts";
import { type Finding, reportError } from "./finding.ts";
import { WalkContext } from "./walk-context.ts";
import { walkMetadata } from "./walk-metadata.ts";

/** How {@link checkImage} checks. */
export interface CheckImageOptions {
  /** Aborts the check. */
  readonly signal?: AbortSignal;
  /** Told now and then how many bytes of tables were read. */
  readonly onProgress?: (readBytes: number) => void;
  /** Memory for tables and reference counts, 256 MiB by default; more is `QCOW2_METADATA_LIMIT`. */
  readonly maxMetadataBytes?: number;
  /** Most findings in the report, 1,000 by default; the counters count all of them. */
  readonly maxFindings?: number;
}

/** What `qemu-img check` counts, counted as QEMU 7.2 does. */
export interface CheckCounters {
  /** Rules that are broken, as QEMU counts them: one broken pointer often counts several times. */
  readonly corruptions: number;
  /** Clusters whose refcount is higher than their use. */
  readonly leaks: number;
  /** Refcounts and tables that could not be looked at. */
  readonly checkErrors: number;
  /** Corruptions that this check has repaired. */
  readonly corruptionsFixed: number;
  /** Leaks that this check has repaired. */
  readonly leaksFixed: number;
  /** Clusters of the virtual disk. */
  readonly totalClusters: number;
  /** Of these, the ones with a cluster of their own. */
  readonly allocatedClusters: number;
  /** Of the allocated ones, those that do not lie right behind the one before. */
  readonly fragmentedClusters: number;
  /** Of the allocated ones, those that are compressed. */
  readonly compressedClusters: number;
  /** Where the last used cluster ends in the file. */
  readonly imageEndOffset: number;
}

/** What a check found. */
export interface CheckReport {
  /** What the header says. */
  readonly info: ImageInfo;
  /** The findings, errors and leaks, as they came up. */
  readonly findings: readonly Finding[];
  /** Findings of severity `error`, also those left out of {@link CheckReport.findings}. */
  readonly errorCount: number;
  /** Whether every table could be read; otherwise leaks and refcounts say nothing. */
  readonly isComplete: boolean;
  /** The numbers of `qemu-img check`. */
  readonly counters: CheckCounters;
}

const defaultMetadataBytes = 256 * 2 ** 20;
const defaultMaxFindings = 1_000;

/**
 * Checks an image and lists what is wrong with it: every table is read, every reference counted and compared with the
 * stored refcounts. Reads no data cluster, opens no other file, changes nothing.
 *
 * It finds more than `qemu-img check` does (overlaps, cut tables, the corrupt bit), so an image is sound when `findings`
 * has no error; `counters` are QEMU's.
 *
 * @throws {@link Qcow2Error} when the header itself cannot be used: kind corrupt, unsupported or limit; and io.
 */
export async function checkImage(
  source: RandomAccess,
  options: CheckImageOptions = {},
): Promise<CheckReport> {
  const reader = await SourceReader.open(source, options.signal);
  const area = await readHeaderArea(reader, "strict");
  requireKnownFeatures(area);
  validateTablesFor(area.header, reader.sizeBytes);
  const info = toImageInfo(area, reader.sizeBytes);
  const sink = new CollectingSink(options.maxFindings ?? defaultMaxFindings, info.clusterSizeBytes);
  if (info.isMarkedCorrupt) reportMark(sink);
  const budget = new MemoryBudget(options.maxMetadataBytes ?? defaultMetadataBytes);
  const context = new WalkContext(reader, area, l2FormatOf(info), budget, sink, options);
  const walk = { comparesRefcounts: true, requiresSnapshotExtra: true };
  const { isComplete } = await walkMetadata(context, walk);
  return {
    info,
    findings: sink.findings,
    errorCount: sink.errors,
    isComplete,
    counters: countersOf(context, sink, isComplete),
  };
}

/** Refuses tables over a limit or misaligned; one that only runs past the end of the file is a finding. */
function validateTablesFor(header: Header, fileSizeBytes: number): void {
  try {
    validateTables(header);
  } catch (error) {
    // A table that the file cannot hold is damage, whatever limit it breaks as well.
    validateTables(header, fileSizeBytes);
    throw error;
  }
}

function countersOf(
  { tally, area, clusterSize }: WalkContext,
  sink: CollectingSink,
  isComplete: boolean,
): CheckCounters {
  const sectors = area.header.size / 512n;
  const clusterSectors = BigInt(clusterSize / 512);
  return {
    corruptions: sink.corruptions,
    leaks: sink.leaks,
    checkErrors: tally.checkErrors + (isComplete ? 0 : 1),
    corruptionsFixed: 0,
    leaksFixed: 0,
    totalClusters: Number((sectors + clusterSectors - 1n) / clusterSectors),
    allocatedClusters: tally.allocatedClusters,
    fragmentedClusters: tally.fragmentedClusters,
    compressedClusters: tally.compressedClusters,
    imageEndOffset: isComplete ? (tally.highestCluster + 1) * clusterSize : 0,
  };
}

function reportMark(sink: CollectingSink): void {
  const problem = {
    code: "QCOW2_MARKED_CORRUPT",
    structure: "header",
    offset: headerFields.incompatibleFeatures,
    message: "the image is marked corrupt: a writer found damage in it and stopped",
  } as const;
  reportError(sink, problem, 0);
}

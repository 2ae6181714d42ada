import type { RandomAccess } from "@box/io";
import type { ImageInfo } from "../inspect/image-info.ts";
import { requireOneOf, requireSource } from "../require-arguments.ts";
import { requireWritable } from "../write/host-file.ts";
import type { CheckImageOptions } from "./check-options.ts";
import { type CheckRun, runCheck } from "./check-run.ts";
import type { Finding } from "./finding.ts";
import { repairImage } from "./repair/repair-image.ts";

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

/**
 * Checks an image and lists what is wrong with it: every table is read, every reference counted and compared with the
 * stored refcounts. Reads no data cluster and opens no other file; changes nothing unless `repair` is given, and then
 * reports what is left.
 *
 * It finds more than `qemu-img check` does (overlaps, cut tables, the corrupt bit), so an image is sound when `findings`
 * has no error; `counters` are QEMU's.
 *
 * @throws {@link Qcow2Error} when the header itself cannot be used: kind corrupt, unsupported or limit; io; and
 * `QCOW2_READ_ONLY` when a source that is to be repaired cannot be written.
 */
export async function checkImage(
  source: RandomAccess,
  options: CheckImageOptions = {},
): Promise<CheckReport> {
  const { repair } = options;
  if (repair !== undefined) {
    requireOneOf("option repair", repair, ["leaks", "all"]);
    requireSource(source);
    requireWritable(source);
  }
  const first = await runCheck(source, options);
  if (repair === undefined) return reportOf(first);
  await repairImage(source, first, repair, options);
  const report = reportOf(await runCheck(source, options));
  const { corruptions, leaks } = report.counters;
  const counters = {
    ...report.counters,
    corruptionsFixed: Math.max(0, first.sink.corruptions - corruptions),
    leaksFixed: Math.max(0, first.sink.leaks - leaks),
  };
  return { ...report, counters };
}

function reportOf(run: CheckRun): CheckReport {
  const { sink, walk, info } = run;
  return {
    info,
    findings: sink.findings,
    errorCount: sink.errors,
    isComplete: walk.isComplete,
    counters: countersOf(run),
  };
}

function countersOf({ context, sink, walk, info }: CheckRun): CheckCounters {
  const { tally, clusterSize } = context;
  const sectors = info.virtualSizeBytes / 512n;
  const clusterSectors = BigInt(clusterSize / 512);
  return {
    corruptions: sink.corruptions,
    leaks: sink.leaks,
    checkErrors: tally.checkErrors + (walk.isComplete ? 0 : 1),
    corruptionsFixed: 0,
    leaksFixed: 0,
    totalClusters: Number((sectors + clusterSectors - 1n) / clusterSectors),
    allocatedClusters: tally.allocatedClusters,
    fragmentedClusters: tally.fragmentedClusters,
    compressedClusters: tally.compressedClusters,
    imageEndOffset: walk.isComplete ? (tally.highestCluster + 1) * clusterSize : 0,
  };
}

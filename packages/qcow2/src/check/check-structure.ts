import type { RandomAccess } from "@box/io";
import { MemoryBudget } from "../bytes/budget.ts";
import { SourceReader } from "../bytes/source-reader.ts";
import { Qcow2Error } from "../errors.ts";
import { headerFields } from "../header/layout.ts";
import { validateTables } from "../header/validate.ts";
import type { ImageInfo } from "../inspect/image-info.ts";
import { toImageInfo } from "../inspect/inspect-image.ts";
import { readHeaderArea, requireKnownFeatures } from "../inspect/read-header.ts";
import { l2FormatOf } from "../tables/l2-format.ts";
import { type FindingSink, toError } from "./finding.ts";
import { WalkContext } from "./walk-context.ts";
import { walkMetadata } from "./walk-metadata.ts";

/** Limits of {@link checkStructure}. */
export interface CheckStructureOptions {
  /** Aborts the check. */
  readonly signal?: AbortSignal;
  /** Memory for tables and reference counts, 256 MiB by default; more is `QCOW2_METADATA_LIMIT`. */
  readonly maxMetadataBytes?: number;
  /** Asked between tables; `true` ends the check with `QCOW2_DEADLINE`. */
  readonly deadline?: () => boolean;
}

/** A sound image. */
export interface StructureReport {
  /** What its header says. */
  readonly info: ImageInfo;
  /** Clusters whose refcount is higher than their use: lost space, not lost data. 0 for a dirty image. */
  readonly leaks: number;
}

const defaultMetadataBytes = 256 * 2 ** 20;

/**
 * Checks that an image can be trusted to be what it was: header, extensions, L1, refcount table, snapshots and bitmaps,
 * and every L2 table and refcount block that they reach, all inside the file, aligned, apart from each other and counted
 * right. Reads no data cluster, opens no other file, changes nothing.
 *
 * Leaks are allowed. So is the dirty bit: refcounts are then not compared, because a writer repairs them when it opens
 * the image. The corrupt bit is not.
 *
 * @throws {@link Qcow2Error} at the first thing that is wrong: kind corrupt, unsupported, limit or io (or another kind
 * of the source's own, such as aborted).
 */
export async function checkStructure(
  source: RandomAccess,
  options: CheckStructureOptions = {},
): Promise<StructureReport> {
  const reader = await SourceReader.open(source, options.signal);
  const area = await readHeaderArea(reader, "strict");
  requireKnownFeatures(area);
  validateTables(area.header, { fileSizeBytes: reader.sizeBytes });
  const info = toImageInfo(area, reader.sizeBytes);
  if (info.isMarkedCorrupt) throw markedCorrupt();
  const budget = new MemoryBudget(options.maxMetadataBytes ?? defaultMetadataBytes);
  const sink = new ThrowingSink();
  const context = new WalkContext(reader, area, l2FormatOf(info), budget, sink, options);
  await walkMetadata(context, { comparesRefcounts: !info.isDirty, requiresSnapshotExtra: false });
  return { info, leaks: sink.leaks };
}

class ThrowingSink implements FindingSink {
  leaks = 0;

  error(finding: Parameters<FindingSink["error"]>[0]): void {
    throw toError(finding);
  }

  leak(_offset: number, clusters: number): void {
    this.leaks += clusters;
  }
}

function markedCorrupt(): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_MARKED_CORRUPT",
    message: "the image is marked corrupt: a writer found damage in it and stopped",
    offset: headerFields.incompatibleFeatures,
    structure: "header",
  });
}

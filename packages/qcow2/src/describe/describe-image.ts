import type { RandomAccess } from "@box/io";
import { MemoryBudget } from "../bytes/budget.ts";
import { SourceReader } from "../bytes/source-reader.ts";
import { validateTables } from "../header/validate.ts";
import { readHeaderArea, requireKnownFeatures } from "../inspect/read-header.ts";
import { type ImageDescription, readDescription } from "./describe.ts";

/** How {@link describeImage} reads. */
export interface DescribeImageOptions {
  /** Aborts the reads. */
  readonly signal?: AbortSignal;
  /** Memory for the snapshot table and the bitmap directory, 64 MiB by default; more is `QCOW2_METADATA_LIMIT`. */
  readonly maxMetadataBytes?: number;
}

const defaultMetadataBytes = 64 * 2 ** 20;

/**
 * Reads everything that an image says about itself: its header, snapshots, bitmaps and LUKS header. Reads no data and
 * needs neither a passphrase nor the image's backing and data files, which are not opened.
 *
 * @throws Qcow2Error of kind corrupt, unsupported, limit or io.
 */
export async function describeImage(
  source: RandomAccess,
  options: DescribeImageOptions = {},
): Promise<ImageDescription> {
  const reader = await SourceReader.open(source, options.signal);
  const area = await readHeaderArea(reader, "strict");
  requireKnownFeatures(area);
  validateTables(area.header);
  const budget = new MemoryBudget(options.maxMetadataBytes ?? defaultMetadataBytes);
  return readDescription(reader, area, budget);
}

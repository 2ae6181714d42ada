import type { RandomAccess } from "@box/io";
import { SourceReader, toSourceError } from "../bytes/source-reader.ts";
import { validateTables } from "../header/validate.ts";
import type { ImageInfo } from "../inspect/image-info.ts";
import { toImageInfo } from "../inspect/inspect-image.ts";
import {
  type Compat,
  type HeaderArea,
  readHeaderArea,
  requireKnownFeatures,
} from "../inspect/read-header.ts";
import { requireWritable } from "../write/host-file.ts";
import { requireWritableImage } from "../write/writable-image.ts";
import { changedHeader, type HeaderChange } from "./changed-header.ts";

/** A header that can be written again. */
export interface WritableHeader {
  /** As it stands in the file. */
  readonly area: HeaderArea;
  /** What it says. */
  readonly info: ImageInfo;
}

/**
 * Reads the header of an image that may be written.
 *
 * @throws {@link Qcow2Error} of kind corrupt, unsupported, limit or io; `QCOW2_DIRTY`, `QCOW2_MARKED_CORRUPT`,
 * `QCOW2_READ_ONLY`.
 */
export async function readWritableHeader(
  source: RandomAccess,
  options: { readonly signal?: AbortSignal | undefined; readonly compat?: Compat | undefined },
): Promise<WritableHeader> {
  const reader = await SourceReader.open(source, options.signal);
  const area = await readHeaderArea(reader, options.compat ?? "strict");
  requireKnownFeatures(area);
  validateTables(area.header, { fileSizeBytes: reader.sizeBytes });
  const info = toImageInfo(area, reader.sizeBytes);
  requireWritableImage(info);
  requireWritable(source);
  return { area, info };
}

/** Puts a changed header into the file in one write, once all that was written before is on stable storage. */
export async function rewriteHeader(
  source: RandomAccess,
  area: HeaderArea,
  change: HeaderChange,
): Promise<void> {
  const bytes = changedHeader(area, change);
  const file = requireWritable(source);
  try {
    await file.flush?.();
    await file.write(0, bytes);
    await file.flush?.();
  } catch (cause) {
    throw toSourceError(cause, "write the header of the image", 0);
  }
}

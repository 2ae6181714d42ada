import { Qcow2Error } from "../errors.ts";
import { headerFields } from "../header/layout.ts";
import type { ImageInfo } from "../inspect/image-info.ts";

/**
 * Refuses an image that may not be written as it is.
 *
 * @throws {@link Qcow2Error} `QCOW2_DIRTY` (conflict), `QCOW2_MARKED_CORRUPT`.
 */
export function requireWritableImage(info: ImageInfo): void {
  const place = { offset: headerFields.incompatibleFeatures, structure: "header" } as const;
  if (info.isMarkedCorrupt) {
    throw new Qcow2Error({
      code: "QCOW2_MARKED_CORRUPT",
      message: "the image is marked corrupt and cannot be written before it is repaired",
      ...place,
    });
  }
  if (!info.isDirty) return;
  throw new Qcow2Error({
    code: "QCOW2_DIRTY",
    message: "the image was not closed by its last writer: its refcounts may be too low",
    ...place,
  });
}

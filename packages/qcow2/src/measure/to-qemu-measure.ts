import type { QemuJson } from "../describe/to-qemu-info.ts";
import type { ImageMeasure } from "./measure-image.ts";

/** What `qemu-img measure --output=json` of QEMU 7.2 prints. */
export function toQemuMeasure(measure: ImageMeasure): QemuJson {
  const { requiredBytes, fullyAllocatedBytes, bitmapsBytes } = measure;
  return {
    ...(bitmapsBytes !== undefined && { bitmaps: bitmapsBytes }),
    required: requiredBytes,
    "fully-allocated": fullyAllocatedBytes,
  };
}

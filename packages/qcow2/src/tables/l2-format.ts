import type { ImageInfo } from "../inspect/image-info.ts";
import type { L2Format } from "./l2-entry.ts";

/** How the L2 entries of an image are read. */
export function l2FormatOf(info: ImageInfo): L2Format {
  return {
    clusterBits: info.clusterBits,
    hasExtendedL2: info.hasExtendedL2,
    hasDataFile: info.dataFile !== undefined,
    version: info.version,
  };
}

import type { QemuJson } from "../describe/to-qemu-info.ts";
import type { CheckReport } from "./check-image.ts";

/** What `qemu-img check --output=json` of QEMU 7.2 prints about the image, as plain data. */
export function toQemuCheck(report: CheckReport, filename: string): Record<string, QemuJson> {
  const { counters } = report;
  const numbers = {
    "image-end-offset": counters.imageEndOffset,
    "total-clusters": counters.totalClusters,
    "allocated-clusters": counters.allocatedClusters,
    "fragmented-clusters": counters.fragmentedClusters,
    "compressed-clusters": counters.compressedClusters,
    corruptions: counters.corruptions,
    leaks: counters.leaks,
    "corruptions-fixed": counters.corruptionsFixed,
    "leaks-fixed": counters.leaksFixed,
  };
  // QEMU leaves out what is zero, except for this one.
  const shown = Object.entries(numbers).filter(([, value]) => value !== 0);
  return {
    ...Object.fromEntries(shown),
    "check-errors": counters.checkErrors,
    filename,
    format: "qcow2",
  };
}

import type { RandomAccess } from "@box/io";
import type { QemuMapEntry } from "@box/qcow2";

/** A disk that has ones where a map says that there is data, and zeros elsewhere: for counting what is stored. */
export function allocationView(sizeBytes: number, map: readonly QemuMapEntry[]): RandomAccess {
  const stored = map.filter(({ data, zero }) => data && !zero);
  let first = 0;
  return {
    size: async () => sizeBytes,
    read: async (offset, length, into) => {
      const bytes = into?.subarray(0, length) ?? new Uint8Array(length);
      bytes.fill(0);
      // It is read from start to end, so that what lies before is never needed again.
      while (first < stored.length && endOf(stored[first]) <= offset) first++;
      for (let index = first; index < stored.length; index++) {
        const { start = 0 } = stored[index] ?? {};
        if (start >= offset + length) break;
        bytes.fill(1, Math.max(0, start - offset), endOf(stored[index]) - offset);
      }
      return bytes;
    },
  };
}

function endOf(entry: QemuMapEntry | undefined): number {
  return entry === undefined ? 0 : entry.start + entry.length;
}

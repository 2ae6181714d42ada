import type { OpenFile, RandomAccess } from "@box/io";

const sectorBytes = 512;

/** A raw file as a disk of whole sectors, as QEMU sees it: what is behind the end of the file reads as zeros. */
export function wholeSectors(file: OpenFile): RandomAccess {
  return {
    size: async () => roundToSectors(await file.size()),
    read: async (offset, length, into) => {
      const wanted = into?.subarray(0, length) ?? new Uint8Array(length);
      const found = await file.read(offset, length, wanted);
      const end = Math.max(0, Math.min(length, roundToSectors(await file.size()) - offset));
      wanted.fill(0, found.byteLength, end);
      return wanted.subarray(0, Math.max(end, found.byteLength));
    },
    identity: () => file.identity?.() ?? "",
  };
}

/** A size in bytes, rounded up to whole sectors. */
export function roundToSectors(sizeBytes: number): number {
  return Math.ceil(sizeBytes / sectorBytes) * sectorBytes;
}

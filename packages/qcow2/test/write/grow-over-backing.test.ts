import { MemoryFile } from "@box/io";
import { checkImage, createImage, openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";

const clusterBytes = 65536;

describe("a disk that grows past the end of a longer backing file", () => {
  it.each(["off", "metadata", "full"] as const)(
    "reads as zeros there and leaks nothing, preallocation: %s",
    async (preallocation) => {
      const base = new MemoryFile(new Uint8Array(150_000).fill(9));
      const backing = async () => ({ source: base });
      const file = new MemoryFile();
      await createImage(file, {
        virtualSizeBytes: clusterBytes,
        backing: { name: "base", format: "raw" },
      });
      {
        await using image = await openImage(file, { mode: "rw", backing });
        await image.resize(5 * clusterBytes, { preallocation });
      }
      const { findings, counters } = await checkImage(file);
      expect(findings).toEqual([]);
      if (preallocation !== "off") expect(counters.allocatedClusters).toBe(4);
      await using image = await openImage(file, { backing });
      const found = await image.read(0, 5 * clusterBytes);
      expect(found.subarray(0, clusterBytes).every((byte) => byte === 9)).toBe(true);
      expect(found.subarray(clusterBytes).every((byte) => byte === 0)).toBe(true);
    },
  );
});

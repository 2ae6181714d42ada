import { describe, expect, test } from "vitest";
import { directoryBlocks, indexedShape, oneBlock } from "../../src/plan/directory-shape.ts";
import { extentTreeBlocks } from "../../src/plan/extent-table.ts";
import { FreeSpace } from "../../src/plan/free-space.ts";
import { backupGroups, computeGeometry, hasSuperblock } from "../../src/plan/geometry.ts";

describe("a directory's shape", () => {
  test("has an index of one or two levels", () => {
    expect(directoryBlocks(oneBlock)).toBe(1);
    expect(indexedShape(507)).toEqual({ leafBlocks: 507, nodeBlocks: 0, isIndexed: true });
    expect(indexedShape(508)).toEqual({ leafBlocks: 508, nodeBlocks: 1, isIndexed: true });
    expect(directoryBlocks(indexedShape(507 * 510))).toBe(1 + 507 + 507 * 510);
  });

  test("with an index of three levels is refused", () => {
    expect(() => indexedShape(507 * 510 + 1)).toThrow(
      expect.objectContaining({ code: "EXT4_DIRECTORY_TOO_LARGE", kind: "limit" }),
    );
  });
});

describe("an extent tree", () => {
  test.each([
    [0, 0],
    [4, 0],
    [5, 1],
    [340, 1],
    [341, 2],
    [4 * 340, 4],
    [4 * 340 + 1, 5 + 1],
    [4 * 340 * 340 + 1, 4 * 340 + 1 + 5 + 1],
  ])("over %i extents has %i blocks", (extents, blocks) => {
    expect(extentTreeBlocks(extents)).toBe(blocks);
  });
});

describe("a geometry", () => {
  test("has copies of the superblock in 1 and the powers of 3, 5 and 7", () => {
    expect(backupGroups(130)).toEqual([1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    expect([0, 2, 15, 343].map(hasSuperblock)).toEqual([true, false, false, true]);
  });

  test.each([
    [1, 8192],
    [17, 8192],
    [40, 32_768],
    [200, 8192],
  ])("of %i groups with %i inodes has tables that do not overlap", (groups, inodesPerGroup) => {
    const geometry = computeGeometry(groups, inodesPerGroup);
    const taken = new Set<number>();
    const take = (start: number, blocks: number): void => {
      for (let block = start; block < start + blocks; block++) {
        expect(taken.has(block)).toBe(false);
        taken.add(block);
      }
    };
    for (let group = 0; group < groups; group++) {
      take(geometry.blockBitmap[group] as number, 1);
      take(geometry.inodeBitmap[group] as number, 1);
      take(geometry.inodeTable[group] as number, geometry.inodeTableBlocks);
      if (hasSuperblock(group)) {
        take(group * 32_768, 1 + geometry.descriptorBlocks + geometry.reservedBlocks);
      }
    }
    let inRegions = 0;
    for (const [i, start] of geometry.regionStarts.entries()) {
      const end = geometry.regionEnds[i] as number;
      inRegions += end - start;
      expect(taken.has(start) && taken.has(end - 1) && !taken.has(end)).toBe(true);
    }
    expect(inRegions).toBe(taken.size);
  });

  test("reserves descriptors to grow to 1 TiB or by 16, and no more than one block can map", () => {
    expect(computeGeometry(1, 8192).reservedBlocks).toBe(127);
    expect(computeGeometry(8, 8192).reservedBlocks).toBe(127);
    expect(computeGeometry(1000, 8192).reservedBlocks).toBe(250 - 16);
    expect(computeGeometry(5000, 8192).reservedBlocks).toBe(1024);
    expect(computeGeometry(131_072, 8192).reservedBlocks).toBe(0);
  });

  test("hands out every block between its tables once", () => {
    const geometry = computeGeometry(3, 8192);
    const space = new FreeSpace(geometry);
    const taken: number[] = [];
    while (space.end < 3 * 32_768) {
      const blocks = Math.min(space.contiguous, 1000);
      taken.push(...Array.from({ length: blocks }, (_, i) => i).map((i) => i + space.end));
      space.take(blocks);
    }
    const tables = geometry.regionStarts.reduce(
      (sum, start, i) => sum + (geometry.regionEnds[i] as number) - start,
      0,
    );
    expect(new Set(taken.filter((block) => block < 3 * 32_768)).size).toBe(3 * 32_768 - tables);
  });
});

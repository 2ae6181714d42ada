import { expect, test } from "vitest";
import { featureNames } from "../../src/rootfs/feature-names.ts";
import { parsePath, showPath } from "../../src/rootfs/image-path.ts";

test("a path is shown so that its bytes can be told from it", () => {
  expect(showPath(Buffer.from("etc/é"))).toBe("etc/é");
  expect(showPath(Uint8Array.of(0x61, 0xff, 0xc3, 0x5c, 0xed, 0xa0, 0x80))).toBe(
    "a\\xff\\xc3\\x5c\\xed\\xa0\\x80",
  );
  for (let first = 0; first < 256; first++) {
    for (const rest of [[], [0x80], [0x9f, 0x80], [0x5c, 0x78, 0x34, 0x31], [0xbf, 0xbf, 0xbf]]) {
      const bytes = Uint8Array.of(0x2f, first, ...rest);
      expect([...parsePath(showPath(bytes))]).toEqual([...bytes]);
    }
  }
});

test("features without a name are shown by their bits", () => {
  expect(featureNames([0x4, 0x80000000, 0x400])).toEqual([
    "has_journal",
    "incompat:0x80000000",
    "metadata_csum",
  ]);
});

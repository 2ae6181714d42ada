import { expect, test } from "vitest";
import { formatSize } from "../src/sizes.ts";

test.each([
  [0, "0 bytes"],
  [1023, "1023 bytes"],
  [1024, "1 KiB"],
  [1536, "1.5 KiB"],
  [64 * 1024 ** 2, "64 MiB"],
  [2 ** 50, "1024 TiB"],
])("formatSize shows %d as %s", (bytes, text) => {
  expect(formatSize(bytes)).toBe(text);
});

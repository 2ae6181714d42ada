import { describe, expect, test } from "vitest";
import { parseSize } from "../../src/command/size.ts";

describe("a size", () => {
  test.each([
    ["4096", 4096],
    ["512MiB", 512 * 2 ** 20],
    ["1.5K", 1536],
    ["1.3GiB", 1_395_864_576],
    ["0.1k", 512],
    ["2.000001T", 2 ** 41 + 1_099_776],
  ])("of %s is %i bytes", (text, bytes) => {
    expect(parseSize(text, "--size")).toBe(bytes);
    expect(parseSize(text.toLowerCase(), "--size")).toBe(bytes);
  });

  test.each(["", "0", "0.0G", "1.5", "-1", "1e3", "1.G", "9007199254740992", "8.1P", "8.0001P"])(
    "is not %s",
    (text) => {
      expect(() => parseSize(text, "--size")).toThrow("--size: not a size");
    },
  );
});

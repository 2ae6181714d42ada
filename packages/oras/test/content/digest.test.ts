import { digestAlgorithm, digestHex, digestOf, isDigest, parseDigest } from "@box/oras";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";

const hex64 = "a".repeat(64);

describe("digests", () => {
  test("hash the empty input to the well-known value", () => {
    expect(digestOf(new Uint8Array(0))).toBe(
      "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    );
    expect(digestOf(new Uint8Array(0), "sha512")).toMatch(/^sha512:cf83e1357eefb8bd[0-9a-f]{112}$/);
  });

  test("split into algorithm and digits", () => {
    const digest = parseDigest(`sha256:${hex64}`);
    expect(digestAlgorithm(digest)).toBe("sha256");
    expect(digestHex(digest)).toBe(hex64);
  });

  test.each([`sha256:${hex64}`, `sha384:${"0".repeat(96)}`, `sha512:${"f".repeat(128)}`])(
    "accepts %s",
    (text) => expect(isDigest(text)).toBe(true),
  );

  test.each([
    "",
    ":",
    hex64,
    `sha256:${"A".repeat(64)}`,
    `sha256:${"a".repeat(63)}`,
    `sha256:${"a".repeat(65)}`,
    `sha256:${"a".repeat(63)}\n`,
    `sha256:../../../../etc/passwd${"a".repeat(42)}`,
    `md5:${"a".repeat(32)}`,
    `toString:${hex64}`,
    `__proto__:${hex64}`,
    ` sha256:${hex64}`,
    `sha256:sha256:${"a".repeat(57)}`,
  ])("refuses %j before it becomes a path", async (text) => {
    expect(isDigest(text)).toBe(false);
    await expectCode(() => parseDigest(text), "OCI_INVALID_DIGEST");
  });

  test("never let through a text with a separator of paths", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (isDigest(text)) expect(text).not.toMatch(/[/\\.%]/);
      }),
    );
  });
});

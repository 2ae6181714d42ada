import {
  formatRegistryReference,
  isRegistryHost,
  isRepository,
  isTag,
  parseRegistryReference,
  splitReference,
} from "@box/oras";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";

const digest = `sha256:${"0".repeat(64)}`;

describe("references", () => {
  test.each([
    ["localhost/a", { host: "localhost", repository: "a" }],
    ["127.0.0.1:5000/a/b:v1", { host: "127.0.0.1:5000", repository: "a/b", tag: "v1" }],
    ["[::1]:5000/a:v1", { host: "[::1]:5000", repository: "a", tag: "v1" }],
    [`host.example/a@${digest}`, { host: "host.example", repository: "a", digest }],
    [`host.example/a:v1@${digest}`, { host: "host.example", repository: "a", tag: "v1", digest }],
    ["HOST.example/a__b/c-d.e--f", { host: "HOST.example", repository: "a__b/c-d.e--f" }],
  ])("parses %s and writes it again", (text, expected) => {
    const parsed = parseRegistryReference(text);
    expect(parsed).toEqual(expected);
    expect(formatRegistryReference(parsed)).toBe(text);
  });

  test.each([
    "",
    "name",
    "host/",
    "/name",
    "host/Name",
    "host/a//b",
    "host/a/",
    "host/-a",
    "host/a-",
    "host/a___b",
    "host/a..b",
    "host/a._b",
    "host/a-_b",
    "host/a_-b",
    "host/ä",
    "host/../a",
    "host/a:",
    "host/a:-v1",
    "host/a:.v1",
    `host/a:${"v".repeat(129)}`,
    "host/a:v 1",
    "-host/a",
    "ho..st/a",
    "host:/a",
    "host:99999/a",
    "host:123456/a",
    "host:5o/a",
    "[::1/a",
    "[1]/a",
    "[::g]/a",
    "[::1]x/a",
    `host/${"a".repeat(255)}`,
    "x".repeat(2000),
  ])("refuses %j", async (text) => {
    await expectCode(() => parseRegistryReference(text), "OCI_INVALID_REFERENCE");
  });

  test("says that names are lower-case", async () => {
    const error = await expectCode(
      () => parseRegistryReference("host/Name"),
      "OCI_INVALID_REFERENCE",
    );
    expect(error.message).toContain("lower-case");
  });

  test.each(["host/a@sha256:1", "host/a@", `host/a@${digest}@${digest}`, "host/a@md5:00"])(
    "refuses the digest of %s",
    async (text) => {
      await expectCode(() => splitReference(text), "OCI_INVALID_DIGEST");
    },
  );

  test("takes 100 KB of hostile text in linear time", async () => {
    for (const piece of ["a-", "a_", "a.", "/a", ":", "-", "[", "a"]) {
      const text = `host/${piece.repeat(100_000 / piece.length)}`;
      const start = performance.now();
      isRepository(text);
      isRegistryHost(text);
      isTag(text);
      expect(() => parseRegistryReference(text)).toThrow();
      expect(performance.now() - start).toBeLessThan(1000);
    }
  });

  test("agree with the grammar of the specification", () => {
    const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
    const alphabet = fc.constantFrom("a", "0", ".", "_", "-", "A");
    fc.assert(
      fc.property(fc.string({ unit: alphabet, maxLength: 12 }), (text) => {
        expect(isRepository(text)).toBe(component.test(text));
        expect(isTag(text)).toBe(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/.test(text));
      }),
      { numRuns: 2000 },
    );
  });
});

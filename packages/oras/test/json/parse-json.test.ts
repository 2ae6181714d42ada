import { parseJson } from "@box/oras";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";

const options = { what: "the sample", maxBytes: 1000 };

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

describe("JSON from outside", () => {
  test("is parsed", () => {
    expect(parseJson(bytesOf('{"a":["]}\\"",{}]}'), options)).toEqual({ a: [']}"', {}] });
  });

  test("is refused before it is parsed when it is too large", async () => {
    const error = await expectCode(() => parseJson(new Uint8Array(1001), options), "OCI_TOO_LARGE");
    expect(error.message).toContain("1001 bytes exceed the limit of 1000");
  });

  test("is refused when it is nested too deeply", async () => {
    const nested = (depth: number) => bytesOf("[".repeat(depth) + "]".repeat(depth));
    expect(parseJson(nested(64), options)).toBeInstanceOf(Array);
    await expectCode(() => parseJson(nested(65), options), "OCI_TOO_DEEP");
    const huge = { what: "x", maxBytes: 10_000_000 };
    await expectCode(() => parseJson(bytesOf("[".repeat(4_000_000)), huge), "OCI_TOO_DEEP");
  });

  test.each(["", "{", "nul", "{}{}", "\ufeff{}x"])(
    "is refused when malformed: %j",
    async (text) => {
      await expectCode(() => parseJson(bytesOf(text), options), "OCI_INVALID_JSON");
    },
  );

  test("is refused when it is not UTF-8", async () => {
    await expectCode(
      () => parseJson(new Uint8Array([0x22, 0xff, 0x22]), options),
      "OCI_INVALID_JSON",
    );
  });

  test("comes back unchanged, whatever it holds", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!text.includes("__proto__"));
        const read = parseJson(bytesOf(text), { what: "it", maxBytes: 1e9 });
        expect(JSON.stringify(read)).toBe(text);
      }),
    );
  });
});

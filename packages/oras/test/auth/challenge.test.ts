import { describe, expect, test } from "vitest";
import { parseChallenges } from "../../src/auth/challenge.ts";

function parsed(header: string): unknown {
  return parseChallenges(header).map(({ scheme, parameters }) => [
    scheme,
    Object.fromEntries(parameters),
  ]);
}

describe("WWW-Authenticate", () => {
  test.each([
    [
      'Bearer realm="https://a/token",service="s",scope="repository:x:pull,push"',
      [["bearer", { realm: "https://a/token", service: "s", scope: "repository:x:pull,push" }]],
    ],
    ['Basic realm="a \\"b\\""', [["basic", { realm: 'a "b"' }]]],
    [
      "Negotiate, Basic realm=x , Bearer  realm = y",
      [
        ["negotiate", {}],
        ["basic", { realm: "x" }],
        ["bearer", { realm: "y" }],
      ],
    ],
    ['BEARER Realm="x"', [["bearer", { realm: "x" }]]],
    ['Bearer realm="unclosed', [["bearer", { realm: "unclosed" }]]],
    ["Bearer realm=", [["bearer", { realm: "" }]]],
    ['realm="x"', []],
    [',,, "', []],
    ["", []],
  ])("reads %j", (header, expected) => expect(parsed(header)).toEqual(expected));

  test("of hostile length is read in bounded time", () => {
    const start = performance.now();
    for (const piece of ['"', "a=", "a ", ',"', "\\"]) parseChallenges(piece.repeat(1_000_000));
    expect(performance.now() - start).toBeLessThan(1000);
  });
});

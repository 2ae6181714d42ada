import { BoxError } from "@box/errors";
import { describe, expect, test } from "vitest";
import { formatJson, formatJsonLine } from "../../src/output/json.ts";
import { createPaint, mayRedraw, mayUseColor } from "../../src/output/paint.ts";
import { renderError } from "../../src/output/render-error.ts";
import { formatFields, formatSize, formatTable } from "../../src/output/table.ts";
import { visible } from "../../src/output/visible.ts";

const plain = createPaint({ allowed: false, isTerminal: false, env: {} });

describe("colours", () => {
  test.each([
    [{}, true, true, true],
    [{}, true, false, false],
    [{ NO_COLOR: "1" }, true, true, false],
    [{ NO_COLOR: "" }, true, true, true],
    [{ TERM: "dumb" }, true, true, false],
    [{ CI: "true" }, true, true, false],
    [{}, false, true, false],
    [{ FORCE_COLOR: "1" }, true, false, true],
    [{ FORCE_COLOR: "0" }, true, false, false],
    [{ FORCE_COLOR: "1", NO_COLOR: "1" }, true, true, false],
  ])("under %j, allowed %s, terminal %s: %s", (env, allowed, isTerminal, expected) => {
    expect(mayUseColor({ env, allowed, isTerminal })).toBe(expected);
  });

  test("a screen is never redrawn where it is no terminal, even with forced colours", () => {
    expect(mayRedraw({ env: { FORCE_COLOR: "1" }, allowed: true, isTerminal: false })).toBe(false);
    expect(mayRedraw({ env: { CI: "1", FORCE_COLOR: "1" }, allowed: true, isTerminal: true })).toBe(
      false,
    );
    expect(mayRedraw({ env: {}, allowed: true, isTerminal: true })).toBe(true);
  });
});

test("text from outside cannot move the cursor, ring the bell or turn the line around", () => {
  expect(visible("a\u001b[2Jb\nc\u0007\u009b\u202e")).toBe("a\\x1b[2Jb\\x0ac\\x07\\x9b\\u{202e}");
  expect(visible("Grüße 漢字 🎁")).toBe("Grüße 漢字 🎁");
});

describe("renderError", () => {
  const error = new BoxError({
    code: "X_BROKEN",
    kind: "corrupt",
    message: "cannot open x",
    details: { path: "/a\u001b[31m", offset: 42, nothing: undefined, names: ["a"] },
    hint: "first\nsecond",
    cause: new Error("outer", { cause: new Error("cannot open x") }),
  });

  test("prints code, message, details, new causes, the hint's lines and the page", () => {
    expect(renderError(error, { format: "text", paint: plain })).toBe(
      [
        "error[X_BROKEN]: cannot open x",
        "  path     /a\\x1b[31m",
        "  offset   42",
        '  names    ["a"]',
        "  because  outer",
        "  try      first",
        "           second",
        "  more     box explain X_BROKEN",
        "",
      ].join("\n"),
    );
  });

  test("prints one line of JSON with the whole report", () => {
    const line = renderError(error, { format: "json", paint: plain, crashFile: "/c" });
    expect(line.endsWith("}\n")).toBe(true);
    expect(JSON.parse(line)).toMatchObject({
      error: {
        code: "X_BROKEN",
        kind: "corrupt",
        cause: ["outer", "cannot open x"],
        crashFile: "/c",
      },
    });
  });

  test("colours only where colours are on", () => {
    const paint = createPaint({ allowed: true, isTerminal: true, env: {} });
    expect(renderError(error, { format: "text", paint })).toContain("\u001b[");
    expect(renderError(error, { format: "text", paint: plain })).not.toContain("\u001b");
  });
});

describe("tables", () => {
  test("columns are padded, the last one is not, and hostile cells stay in their line", () => {
    expect(
      formatTable(
        ["A", "B"],
        [
          ["long", "x\n"],
          ["s", ""],
        ],
      ),
    ).toBe("A     B\nlong  x\\x0a\ns");
    expect(
      formatFields([
        ["a", "1"],
        ["bcd", "2"],
      ]),
    ).toBe("a    1\nbcd  2");
    expect(formatFields([])).toBe("");
  });

  test.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1536, "1.5 KiB"],
    [2 ** 30, "1 GiB"],
    [2n ** 63n, "8 EiB"],
    [2n ** 80n, "1048576 EiB"],
  ])("%s bytes are %s", (size, text) => expect(formatSize(size)).toBe(text));
});

test("JSON keeps big integers exact", () => {
  expect(formatJsonLine({ a: 5n, b: 2n ** 60n })).toBe('{"a":5,"b":"1152921504606846976"}');
  expect(formatJson([1])).toBe("[\n  1\n]");
});

test("a style goes on after another one that ends in it", () => {
  const paint = createPaint({ allowed: true, isTerminal: true, env: {} });
  expect(paint.red(`a${paint.green("b")}c`)).toBe(
    "\u001b[31ma\u001b[32mb\u001b[39m\u001b[31mc\u001b[39m",
  );
  expect(paint.bold("a")).toBe("\u001b[1ma\u001b[22m");
  expect(plain.bold("a")).toBe("a");
});

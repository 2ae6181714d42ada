import { describe, expect, it } from "vitest";
import { readErrorCodes, withErrorTable } from "../../../scripts/error-table-text.mjs";

const source = (comment: string, kind: string) => `
export type AErrorCode =
  | "A_FIRST" // ${comment}
  | "A_SECOND"; // io: a read failed | twice

export const aErrorKinds: Readonly<Record<AErrorCode, ErrorKind>> = {
  A_FIRST: "${kind}",
  A_SECOND: "io",
};
`;

describe("readErrorCodes", () => {
  it("reads codes, kinds and meanings in the order of the union", () => {
    expect(readErrorCodes(source("corrupt", "corrupt"), "a")).toEqual([
      { code: "A_FIRST", kind: "corrupt", meaning: "" },
      { code: "A_SECOND", kind: "io", meaning: "a read failed | twice" },
    ]);
  });

  it("refuses a comment that names another kind than the record", () => {
    expect(() => readErrorCodes(source("io", "corrupt"), "a")).toThrow(
      "a: A_FIRST is corrupt, its comment says io",
    );
  });

  it("refuses a kind that does not exist", () => {
    expect(() => readErrorCodes(source("broken", "broken"), "a")).toThrow("a: no kind broken");
  });

  it("refuses a code of the record that the union leaves out", () => {
    const text = source("corrupt", "corrupt").replace('  | "A_FIRST" // corrupt\n', "");
    expect(() => readErrorCodes(text, "a")).toThrow("a: 1 codes in the union, 2 in the record");
  });
});

describe("withErrorTable", () => {
  const codes = readErrorCodes(source("corrupt", "corrupt"), "a");

  it("puts exit and HTTP codes beside each code and escapes what would break the table", () => {
    const text = withErrorTable("# a\n", codes);
    expect(text).toContain("| `A_FIRST` | corrupt | 5 | 422 |  |\n");
    expect(text).toContain("| `A_SECOND` | io | 6 | 500 | a read failed \\| twice |\n");
  });

  it("replaces an old table and leaves the rest, and changes nothing the second time", () => {
    const once = withErrorTable(
      "# a\n\n<!-- errors:start -->\nold\n<!-- errors:end -->\n\n## b\n",
      codes,
    );
    expect(once).not.toContain("old");
    expect(once).toContain("\n## b\n");
    expect(withErrorTable(once, codes)).toBe(once);
  });
});

import { readFile } from "node:fs/promises";
import { baseStates, describeDecisionTable, overlayStates } from "@box/rootfs";
import { describe, expect, test } from "vitest";

const page = new URL("../../../../docs/overlay-rules.md", import.meta.url);

const widths = [overlayStates.length, baseStates.length, 3, 2, 2, 2];

/** The cells of the table's lines, without the head. */
function cellsOf(table: string): string[][] {
  const lines = table.trim().split("\n").slice(2);
  return lines.map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe("describeDecisionTable", () => {
  test("is what docs/overlay-rules.md prints", async () => {
    const text = await readFile(page, "utf8");
    const printed = text.split("<!-- table -->\n\n")[1]?.split("\n<!-- /table -->")[0];
    expect(printed).toBe(describeDecisionTable());
  });

  test("stands for every combination exactly once", () => {
    const counts = cellsOf(describeDecisionTable()).map((cells) =>
      widths
        .map((width, column) => {
          const cell = cells[column] ?? "";
          return cell === "any" ? width : cell.split(",").length;
        })
        .reduce((product, count) => product * count, 1),
    );
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(
      widths.reduce((product, width) => product * width, 1),
    );
  });
});

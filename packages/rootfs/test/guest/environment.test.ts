import { splitEnvironment } from "@box/rootfs";
import { describe, expect, test } from "vitest";

describe("splitEnvironment", () => {
  test("splits at the first = and keeps the rest", () => {
    expect(splitEnvironment(["A=1", "B=x=y=z", "C="])).toEqual([
      ["A", "1"],
      ["B", "x=y=z"],
      ["C", ""],
    ]);
  });

  test("drops entries without =", () => {
    expect(splitEnvironment(["A", "", "B=1"])).toEqual([["B", "1"]]);
  });

  test("keeps order and duplicates, and a name that is empty", () => {
    expect(splitEnvironment(["Z=1", "A=2", "Z=3", "=4"])).toEqual([
      ["Z", "1"],
      ["A", "2"],
      ["Z", "3"],
      ["", "4"],
    ]);
  });

  test.each([undefined, null, []])("gives none for %j", (env) => {
    expect(splitEnvironment(env)).toEqual([]);
  });
});

import { describe, expect, it } from "vitest";
import { conclude, sumReport, sumReports } from "../../../scripts/test-reports.mjs";
import { TemporaryFolder } from "../workspace.ts";

const file = (name: string, statuses: readonly string[], status = "passed") => ({
  name: `/elsewhere/packages/one/test/${name}`,
  status,
  assertionResults: statuses.map((each, index) => ({ fullName: `claim ${index}`, status: each })),
});

describe("sumReport", () => {
  it("counts what passed and names what failed and what was not run", () => {
    const report = {
      testResults: [
        file("a.test.ts", ["passed", "passed", "failed"], "failed"),
        file("b.oracle.test.ts", ["skipped", "pending", "todo", "passed"]),
      ],
    };
    expect(sumReport(report, "packages/one")).toEqual({
      passed: 3,
      failed: ["packages/one/test/a.test.ts: claim 2"],
      skipped: [0, 1, 2].map((index) => `packages/one/test/b.oracle.test.ts: claim ${index}`),
    });
  });

  it("a file that could not be loaded, or holds no test, is a failure", () => {
    const report = { testResults: [file("a.test.ts", [], "failed"), file("b.test.ts", [])] };
    expect(sumReport(report, "packages/one").failed).toHaveLength(2);
  });

  it("a file whose hook failed after its tests passed is a failure", () => {
    const report = { testResults: [file("a.test.ts", ["passed"], "failed")] };
    expect(sumReport(report, "packages/one")).toMatchObject({
      passed: 1,
      failed: ["packages/one/test/a.test.ts: did not run"],
    });
  });
});

describe("sumReports", () => {
  it("a workspace without a report, or with a broken one, is a failure", () => {
    using folder = new TemporaryFolder();
    folder.write({
      "packages/one/.results/vitest.json": { testResults: [file("a.test.ts", ["passed"])] },
      "packages/two/.results/vitest.json": '{"testResults": [',
    });
    const names = ["packages/one", "packages/two", "packages/three"];
    expect(sumReports(folder.path, names)).toEqual({
      passed: 1,
      failed: [
        "packages/two: its tests left no report",
        "packages/three: its tests left no report",
      ],
      skipped: [],
    });
  });
});

describe("conclude", () => {
  it("is green when something passed, nothing failed and skips are allowed", () => {
    const sum = { passed: 2, failed: [], skipped: ["x"] };
    expect(conclude(sum, { refuseSkips: false })).toEqual({
      line: "2 passed, 0 failed, 1 skipped",
      code: 0,
    });
  });

  it("counts each skip as failed where skips are refused", () => {
    const sum = { passed: 2, failed: ["y"], skipped: ["x"] };
    expect(conclude(sum, { refuseSkips: true })).toEqual({
      line: "2 passed, 2 failed, 0 skipped",
      code: 1,
    });
  });

  it("is never green when nothing passed", () => {
    const sum = { passed: 0, failed: [], skipped: [] };
    expect(conclude(sum, { refuseSkips: false })).toEqual({
      line: "0 passed, 1 failed, 0 skipped",
      code: 1,
    });
  });
});

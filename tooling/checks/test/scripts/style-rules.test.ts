import { describe, expect, it } from "vitest";
import { findStyleFaults } from "../../../scripts/style-rules.mjs";

const faults = (path: string, text: string) => findStyleFaults(path, () => text);
const todo = ["TO", "DO"].join("");

describe("style", () => {
  it("refuses a source file of more than 400 lines", () => {
    expect(faults("packages/a/src/a.ts", "x\n".repeat(400))).toEqual([]);
    expect(faults("packages/a/src/a.ts", "x\n".repeat(401))).toEqual([
      "packages/a/src/a.ts: 401 lines, more than 400; split it by structure",
    ]);
  });

  it.each(["utils.ts", "helpers/a.ts", "common.test.ts", "misc/b.c", "types.ts", "util.mjs"])(
    "refuses the name %s",
    (name) => {
      expect(faults(`packages/a/src/${name}`, "")).toHaveLength(1);
    },
  );

  it("refuses work put off without the number of its issue", () => {
    expect(faults("apps/a/src/a.ts", `// ${todo}: later`)).toHaveLength(1);
    expect(faults("apps/a/src/a.ts", `  // ${todo}(#12): later`)).toEqual([]);
  });

  it("refuses a hidden type error", () => {
    expect(faults("apps/a/src/a.ts", `// @ts-${"ignore"}`)).toHaveLength(1);
  });

  it.each(["process.env.HOME", "process.cwd()", "process.exit(1)", "process.stdout.write()"])(
    "refuses %s in a package, not in an app",
    (code) => {
      expect(faults("packages/runtime/src/a.ts", `const a = ${code};`)).toHaveLength(1);
      expect(faults("packages/runtime/src/a.ts", `// never ${code}`)).toEqual([]);
      expect(faults("apps/cli/src/a.ts", `const a = ${code};`)).toEqual([]);
    },
  );

  it("refuses a hook of a whole file in a module that test files share", () => {
    const hook = "afterAll(() => rm(folder));";
    expect(faults("packages/a/test/support/disk.ts", hook)).toHaveLength(1);
    expect(faults("packages/a/test/support/disk.ts", `  ${hook}`)).toEqual([]);
    expect(faults("packages/a/test/disk.test.ts", hook)).toEqual([]);
  });

  it("refuses a way to a network in packages that have none", () => {
    expect(faults("packages/qcow2/src/node/a.ts", "await fetch(url);")).toHaveLength(1);
    expect(faults("packages/oras/src/a.ts", "await fetch(url);")).toEqual([]);
  });
});

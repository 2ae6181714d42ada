import { globSync } from "node:fs";
import { join, matchesGlob } from "node:path";
import { describe, expect, it } from "vitest";
import { readManifests, root } from "./workspace.ts";

const packages = [...readManifests("{packages,apps}")].filter(
  ([, { exports = {} }]) => "." in exports,
);

/** A chunk as the builder names those that entries share or load late. */
const chunk = "dist/chunk-ABCDEFGH.js";

/** Whether one budget of the package counts the file. */
function isCounted(budgets: readonly { readonly path: string }[], file: string): boolean {
  return budgets.some(({ path }) => matchesGlob(file, path));
}

describe("size budgets", () => {
  it.each(packages)(
    "%s has one for every entry, and one that counts its chunks",
    (_path, { exports = {}, "size-limit": budgets = [] }) => {
      const entries = Object.values(exports).flatMap((target) =>
        typeof target === "string" ? [] : [target["default"] ?? "no default"],
      );
      expect(entries).not.toEqual([]);
      for (const entry of entries) {
        expect(isCounted(budgets, entry.replace("./", "")), entry).toBe(true);
      }
      expect(isCounted(budgets, chunk), "chunks").toBe(true);
    },
  );

  it.each(packages)(
    "%s has no built module that none counts",
    (path, { "size-limit": budgets = [] }) => {
      const built = globSync("dist/**/*.js", { cwd: join(root, path) });
      expect(built.filter((file) => !isCounted(budgets, file))).toEqual([]);
    },
  );
});

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { hasQemuImg } from "../support/qemu.ts";
import { differenceRules } from "./differences.ts";
import { runMutants } from "./run-mutants.ts";

/** More by `MUTANTS=10000 MUTANT_SEED=1`, which is what `pnpm test:mutants` does. */
const count = Number(process.env["MUTANTS"] ?? 500);
const seed = Number(process.env["MUTANT_SEED"] ?? 1);

describe.skipIf(!hasQemuImg)("changed images", { timeout: count * 600 + 60_000 }, () => {
  it(`get the verdict and the counters that QEMU gives them, or a known reason not to (${count} mutants, seed ${seed})`, async () => {
    const { unexplained, ...summary } = await runMutants({ count, seed });
    process.stderr.write(`mutants: ${JSON.stringify(summary)}\n`);
    expect(unexplained).toEqual([]);
    expect(summary.agree / summary.run).toBeGreaterThan(0.9);
    expect(summary.sameCounters / summary.counted).toBeGreaterThanOrEqual(0.97);
  });
});

it("every rule for a difference is justified in the notes on the format", () => {
  const notes = readFileSync(new URL("../../../../docs/spec/qcow2.md", import.meta.url), "utf8");
  const missing = differenceRules.filter(({ name }) => !notes.includes(`\`${name}\``));
  expect(missing).toEqual([]);
});

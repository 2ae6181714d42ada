import { MemoryFile } from "@box/io";
import { type CheckReport, checkImage, Qcow2Error } from "@box/qcow2";
import { type Fixture, fixtures } from "@box/qcow2/fixtures";
import { describe, expect, it } from "vitest";
import { wholeImage } from "../../fixtures/boundary/whole-image.ts";
import { mutate, seededRandom } from "../mutants/mutate.ts";
import { afterCrash } from "../support/after-crash.ts";
import { recorded } from "../support/disk-script.ts";
import { lostContent, readableContent } from "../support/readable-content.ts";

const inputs = fixtures.flatMap(({ name, operation, build }: Fixture) => {
  const bytes = operation === "createOverlay" ? undefined : build();
  return bytes instanceof Uint8Array ? [{ name, bytes }] : [];
});
/** How many changed images are tried, and from which seed on; `pnpm test:mutants` tries more. */
const { MUTANTS = "60", MUTANT_SEED = "90000" } = process.env;
const mutants = Array.from({ length: Math.min(Number(MUTANTS), 2000) }, (_, seed) => {
  const { bytes, change } = mutate(wholeImage(), seededRandom(Number(MUTANT_SEED) + seed));
  return { name: `seed ${seed}: ${change}`, bytes };
});

/** All that is stored in these images is at the beginning of their disks. */
const diskBytes = 131072;
const maxFindings = 100_000;

describe("a repair that is interrupted after any prefix of its writes", {
  timeout: 600_000,
}, () => {
  it.for([["fixtures", inputs] as const, ["changed images", mutants] as const])(
    "loses nothing that could be read, and brings no error: %s",
    async ([, images]) => {
      const wrong: string[] = [];
      let repaired = 0;
      for (const { name, bytes } of images) {
        const { file, log } = recorded(new MemoryFile(bytes));
        const left = await reportOf(() => checkImage(file, { repair: "all", maxFindings }));
        if (log.length === 0) continue;
        repaired++;
        const before = await readableContent(new MemoryFile(bytes), diskBytes);
        const found = await reportOf(() => checkImage(new MemoryFile(bytes), { maxFindings }));
        if (badness(left, true) > badness(found, true))
          wrong.push(`${name}: worse after the repair`);
        const canUseRefcounts = found?.findings.some(isOfRefcounts) === false;
        const errors = badness(found, canUseRefcounts);
        for (const end of prefixes(log.length, bytes.byteLength)) {
          for (const chance of [0, end + 7]) {
            const crashed = afterCrash(bytes, log, end, chance);
            const report = await reportOf(() => checkImage(crashed, { maxFindings }));
            if (badness(report, canUseRefcounts) > errors)
              wrong.push(`${name}: ${end} writes, more errors`);
            const lost = lostContent(before, await readableContent(crashed, diskBytes));
            if (lost.length > 0) wrong.push(`${name}: ${end} writes, lost ${lost[0]}`);
          }
        }
      }
      expect(wrong).toEqual([]);
      expect(repaired).toBeGreaterThan(images.length / 20);
    },
  );
});

/** After which writes the run is cut: each one, but at the ends and a few places between of an image of many megabytes. */
function prefixes(writes: number, sizeBytes: number): number[] {
  const all = Array.from({ length: writes }, (_, index) => index + 1);
  if (sizeBytes <= 2 ** 20 || writes <= 6) return all;
  return all.filter((end) => end <= 2 || end > writes - 2 || end % Math.ceil(writes / 3) === 0);
}

/**
 * Errors in the meantime. A copied bit that is behind its refcount costs nothing but a copy. Refcount structures that
 * cannot be used, and what they say, are judged when the new ones are in force: until then a longer file has more of it.
 */
function badness(report: CheckReport | undefined, canUseRefcounts: boolean): number {
  if (report === undefined) return Infinity;
  const errors = report.findings.filter(
    ({ severity, code }) => severity === "error" && code !== "QCOW2_COPIED_BIT_WRONG",
  );
  if (canUseRefcounts) return errors.length;
  return errors.filter((finding) => !isOfRefcounts(finding)).length;
}

/** Also what is found where a refcount table lies over other things, once the file reaches that far. */
function isOfRefcounts({ code, structure }: CheckReport["findings"][number]): boolean {
  return (
    code === "QCOW2_REFCOUNT_TOO_LOW" ||
    code === "QCOW2_OVERLAP" ||
    structure === "refcount table" ||
    structure === "refcount block"
  );
}

async function reportOf(run: () => Promise<CheckReport>): Promise<CheckReport | undefined> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof Qcow2Error) return undefined;
    throw error;
  }
}

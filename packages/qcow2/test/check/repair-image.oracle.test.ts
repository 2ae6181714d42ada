import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MemoryFile } from "@box/io";
import { openFile } from "@box/io/node";
import { checkImage, Qcow2Error } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { mutate, seededRandom } from "../mutants/mutate.ts";
import { makeSeedImages } from "../mutants/seed-images.ts";
import { imageMatrix } from "../support/image-matrix.ts";
import { hasQemuImg, qemuCheck, qemuImg, temporaryFolder } from "../support/qemu.ts";

const leaking = imageMatrix.filter(({ name }) => name.startsWith("leaks"));
const mutants = 400;

describe.skipIf(!hasQemuImg)("what checkImage repairs", { timeout: 300_000 }, () => {
  it.for(leaking)(
    "$name: qemu-img finds nothing more, and the content is the same",
    async ({ make }) => {
      using folder = temporaryFolder();
      make(folder.path);
      const path = join(folder.path, "i.qcow2");
      writeFileSync(join(folder.path, "before.qcow2"), readFileSync(path));
      await using file = await openFile(path, { mode: "rw" });
      const { counters } = await checkImage(file, { repair: "leaks" });
      expect(counters.leaksFixed).toBeGreaterThan(0);
      expect(qemuCheck(folder.path, ["-f", "qcow2", "i.qcow2"]).status).toBe(0);
      const formats = ["-f", "qcow2", "-F", "qcow2"];
      qemuImg(folder.path, "compare", ...formats, "before.qcow2", "i.qcow2");
    },
  );

  it("passes qemu-img check whenever no error is left, in changed images", async () => {
    using folder = temporaryFolder();
    const seeds = makeSeedImages(folder.path);
    let repaired = 0;
    for (let index = 0; index < mutants; index++) {
      const seed = seeds[index % seeds.length];
      if (seed === undefined) break;
      const { bytes, change } = mutate(seed.bytes, seededRandom(50_000 + index));
      const fixed = await repair(bytes);
      if (fixed === undefined) continue;
      repaired++;
      writeFileSync(join(folder.path, "m.qcow2"), fixed);
      chmodSync(join(folder.path, "m.qcow2"), 0o644);
      const { status, messages } = qemuCheck(folder.path, ["-f", "qcow2", "m.qcow2"]);
      expect(`${seed.name}, ${change}: ${status} ${messages}`).toBe(`${seed.name}, ${change}: 0 `);
    }
    process.stderr.write(`repaired ${repaired} of ${mutants} changed images\n`);
    expect(repaired).toBeGreaterThan(mutants / 20);
  });
});

/** The repaired image; `undefined` when there was nothing to repair or something is left. */
async function repair(bytes: Uint8Array): Promise<Uint8Array | undefined> {
  const file = new MemoryFile(bytes);
  try {
    const { counters, errorCount } = await checkImage(file, { repair: "all" });
    const isFixed = counters.corruptionsFixed + counters.leaksFixed > 0;
    if (!isFixed || errorCount > 0 || counters.checkErrors > 0) return undefined;
    return await file.read(0, await file.size());
  } catch (error) {
    if (error instanceof Qcow2Error) return undefined;
    throw error;
  }
}

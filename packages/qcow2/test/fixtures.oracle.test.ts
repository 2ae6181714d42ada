import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fixtures } from "@box/qcow2/fixtures";
import { describe, expect, it } from "vitest";
import { differenceOf, differenceRules } from "./mutants/differences.ts";
import { ourVerdict, theirVerdict } from "./mutants/verdict.ts";
import { hasQemuImg, temporaryFolder } from "./support/qemu.ts";
import { qemuCheckAll } from "./support/qemu-batch.ts";

const judged = fixtures.filter(({ expectation }) => expectation.qemu !== undefined);
const batch = 100;

describe.skipIf(!hasQemuImg)("what qemu-img check says of a fixture", { timeout: 600_000 }, () => {
  const starts = Array.from({ length: Math.ceil(judged.length / batch) }, (_, i) => i * batch);

  it.for(starts)(
    "is what its expectation records, and what we say but for a known reason: from number %i on",
    async (start) => {
      using folder = temporaryFolder();
      for (const name of ["missing-base.raw", "missing-data.raw"]) {
        writeFileSync(join(folder.path, name), "");
        chmodSync(join(folder.path, name), 0o666);
      }
      const some = judged.slice(start, start + batch);
      const images = some.map(({ build }, index) => {
        const name = `image-${index}.qcow2`;
        writeFileSync(join(folder.path, name), build() as Uint8Array);
        return name;
      });
      const theirs = await qemuCheckAll(folder.path, images);
      const differences: string[] = [];
      for (const [index, { name, expectation, build }] of some.entries()) {
        const their = theirs[index] ?? { status: null, messages: "" };
        const image = images[index] ?? "";
        // Status 1 stands for both: an image that is refused, and one whose refcounts cannot all be looked at.
        const said = their.status === 1 ? "refused" : theirVerdict(their);
        if (said !== expectation.qemu) differences.push(`${name}: ${said}, ${expectation.qemu}`);
        const ours = await ourVerdict(build() as Uint8Array, image);
        const difference = differenceOf(ours, their);
        const isKnown = differenceRules.some(({ explains }) => explains(ours, their));
        if (difference !== undefined && !isKnown) {
          differences.push(`${name}: ${difference}; ${their.messages.slice(0, 300)}`);
        }
      }
      expect(differences).toEqual([]);
    },
  );
});

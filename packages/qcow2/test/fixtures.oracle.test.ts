import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fixtures } from "@box/qcow2/fixtures";
import { describe, expect, it } from "vitest";
import { hasQemuImg, qemuVerdict, temporaryFolder } from "./support/qemu.ts";

describe.skipIf(!hasQemuImg)(
  "qemu-img check says of a fixture what its expect.json records",
  () => {
    const judged = fixtures.filter(({ expectation }) => expectation.qemu !== undefined);

    it.for(judged)("$name", (fixture) => {
      using folder = temporaryFolder();
      for (const name of ["missing-base.raw", "missing-data.raw"]) {
        writeFileSync(join(folder.path, name), "");
        chmodSync(join(folder.path, name), 0o666);
      }
      writeFileSync(join(folder.path, "image.qcow2"), fixture.build() as Uint8Array);
      expect(qemuVerdict(folder.path, "image.qcow2")).toBe(fixture.expectation.qemu);
    });
  },
);
